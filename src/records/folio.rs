//! Folios: records with neighbouring numbers stand together in one value, because each insertion costs sled several
//! times more than the bytes in it, and records are mostly written and read in the order of their numbers. They are
//! compressed together (LZ4, behind their size in four bytes), as sled writes a value several times while its tree
//! grows. Only the form of the bytes is here.

use super::slot::numbered;

/// How many numbers share a folio. With 8 an insertion costs a quarter of what it did with 1; more saves little, and
/// a record that changes alone takes its neighbours along.
const NUMBERS: u64 = 8;

/// More than LZ4 can make of so many compressed bytes; a size beyond it is damage, and nothing is allocated for it.
const RATIO_MAX: usize = 255;

/// The key of the folio with record `n`.
pub(super) fn key(prefix: &[u8], n: u64) -> Vec<u8> {
    numbered(prefix, n / NUMBERS)
}

/// Whether two records share a folio.
pub(super) fn together(one: u64, other: u64) -> bool {
    one / NUMBERS == other / NUMBERS
}

/// A folio to be changed: records by number, in order.
#[derive(Debug, Default)]
pub(super) struct Folio {
    records: Vec<(u64, Vec<u8>)>,
    changed: bool,
}

impl Folio {
    /// From what `entries` has read.
    pub fn of(entries: &[(u64, &[u8])]) -> Self {
        Self { records: entries.iter().map(|(n, record)| (*n, record.to_vec())).collect(), changed: false }
    }

    /// Whether anything was put in or taken out.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The highest number in it; 0 when it is empty.
    pub fn last(&self) -> u64 {
        self.records.last().map_or(0, |(n, _)| *n)
    }

    pub fn contains(&self, n: u64) -> bool {
        self.records.binary_search_by_key(&n, |(n, _)| *n).is_ok()
    }

    pub fn put(&mut self, n: u64, record: Vec<u8>) {
        self.changed = true;
        match self.records.binary_search_by_key(&n, |(n, _)| *n) {
            Ok(at) => self.records[at].1 = record,
            Err(at) => self.records.insert(at, (n, record)),
        }
    }

    pub fn remove(&mut self, n: u64) {
        if let Ok(at) = self.records.binary_search_by_key(&n, |(n, _)| *n) {
            self.records.remove(at);
            self.changed = true;
        }
    }

    /// Its value, packed; `None` when nothing is left.
    pub fn write(&self) -> Option<Vec<u8>> {
        let size = self.records.iter().map(|(_, record)| 12 + record.len()).sum();
        let mut bytes = Vec::with_capacity(size);
        for (n, record) in &self.records {
            bytes.extend_from_slice(&n.to_be_bytes());
            // Longer than 4 GiB is no record; what is cut cannot be read, which is trouble, which is a rebuild.
            bytes.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(record);
        }
        (!bytes.is_empty()).then(|| lz4_flex::block::compress_prepend_size(&bytes))
    }
}

/// What stands in a value, for `entries`; `None` when it is damaged.
pub(super) fn unpack(value: &[u8]) -> Option<Vec<u8>> {
    let (size, packed) = value.split_first_chunk()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    if size > packed.len().saturating_mul(RATIO_MAX) {
        return None;
    }
    // What is cut at the right place unpacks to less.
    lz4_flex::block::decompress(packed, size).ok().filter(|bytes| bytes.len() == size)
}

/// The records in an unpacked value, by number, in order; `None` when it is no folio.
pub(super) fn entries(mut bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (n, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let n = u64::from_be_bytes(*n);
        if entries.last().is_some_and(|(last, _)| *last >= n || !together(*last, n)) {
            return None;
        }
        entries.push((n, record));
        bytes = rest;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folio_keeps_its_records_in_order() {
        let mut folio = Folio::default();
        assert_eq!(folio.write(), None);
        for (n, record) in [(11, "c"), (8, ""), (9, "bb"), (11, "cc")] {
            folio.put(n, record.into());
        }
        assert!(folio.contains(8) && !folio.contains(10));
        let bytes = folio.write().as_deref().and_then(unpack).expect("three records");
        assert_eq!(entries(&bytes), Some(vec![(8, &b""[..]), (9, b"bb"), (11, b"cc")]));
        let mut again = Folio::of(&entries(&bytes).expect("a folio"));
        again.remove(10);
        assert!(!again.changed() && again.last() == 11);
        (8..16).for_each(|n| again.remove(n));
        assert!(again.changed() && again.write().is_none());
        assert!(key(b"x", 7) < key(b"x", 8) && key(b"x", 8) == key(b"x", 15));
    }

    #[test]
    fn bytes_that_are_no_folio_are_told() {
        let mut folio = Folio::default();
        (8..11).for_each(|n| folio.put(n, vec![b'x'; 5]));
        let packed = folio.write().expect("three records");
        for end in 0..packed.len() {
            let cut = unpack(&packed[..end]);
            assert!(cut.as_deref().and_then(entries).is_none(), "packed, cut at {end}: {cut:?}");
        }
        let huge = [&u32::MAX.to_le_bytes()[..], &packed[4..]].concat();
        assert_eq!(unpack(&huge), None, "a size that cannot be");
        let whole = unpack(&packed).expect("three records");
        for end in (0..whole.len()).filter(|end| end % 17 != 0) {
            assert_eq!(entries(&whole[..end]), None, "cut at {end}");
        }
        let twice = [&whole[..], &whole[..]].concat();
        assert_eq!(entries(&twice), None, "out of order");
        folio.put(16, Vec::new());
        assert_eq!(entries(&unpack(&folio.write().expect("four")).expect("four")), None, "a stranger");
    }
}
