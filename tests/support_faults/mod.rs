//! A disk in memory that keeps what was not synced apart and drops, tears or garbles it. It knows nothing of journals.
//!
//! The model: a write is visible at once and durable only after its file's `sync_data`. A crash keeps, for every
//! unsynced write, any subset of the 512-byte sectors it touched (a sector is written whole or not at all), and any
//! length between the durable and the visible one; names made or removed without `sync_dir` stay or vanish. After a
//! failed sync the same happens at once, new bytes may be garbage, and no later sync writes those bytes again although
//! they stay visible (as Linux does it): only a new write can make them durable.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opsbell::journal::{Disk, DiskFile};

const SECTOR: usize = 512;

/// SplitMix64: the same seed gives the same run everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Cut(usize),
}

#[derive(Default, Clone)]
struct Content {
    durable: Vec<u8>,
    visible: Vec<u8>,
    pending: Vec<Change>,
}

struct Inner {
    dice: Dice,
    fail_one_in: u64,
    fail_syncs: bool,
    failed: bool,
    files: Vec<Content>,
    /// Name to file, as it would be after a crash without luck.
    durable: BTreeMap<String, usize>,
    visible: BTreeMap<String, usize>,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct FaultDisk(Arc<Mutex<Inner>>);

impl FaultDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            dice: Dice::new(seed),
            fail_one_in: 0,
            fail_syncs: false,
            failed: false,
            files: Vec::new(),
            durable: BTreeMap::new(),
            visible: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every call that changes something fails once in `n` times; 0: never.
    pub fn fail_one_in(&self, n: u64) {
        let mut inner = self.lock();
        inner.fail_one_in = n;
        inner.failed = false;
    }

    /// From now on every `sync_data` fails, or none by this.
    pub fn fail_syncs(&self, fail: bool) {
        self.lock().fail_syncs = fail;
    }

    /// Whether a call has failed since `fail_one_in`.
    pub fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// The power goes and comes back.
    pub fn crash(&self) {
        let mut inner = self.lock();
        let Inner { dice, files, durable, visible, .. } = &mut *inner;
        for file in files.iter_mut() {
            file.settle(dice, false);
            file.visible = file.durable.clone();
        }
        let names: Vec<String> = durable.keys().chain(visible.keys()).cloned().collect();
        for name in names {
            if durable.get(&name) != visible.get(&name) && dice.one_in(2) {
                match visible.get(&name) {
                    Some(file) => durable.insert(name, *file),
                    None => durable.remove(&name),
                };
            }
        }
        *visible = durable.clone();
    }
}

impl Content {
    /// Decides what became of the changes that were not synced.
    fn settle(&mut self, dice: &mut Dice, garbage: bool) {
        let before = self.durable.len();
        // Often all of one kind, as real crashes are.
        let luck = dice.below(5);
        for change in std::mem::take(&mut self.pending) {
            let mut keep = || match luck {
                0 => true,
                1 => false,
                _ => dice.one_in(2),
            };
            match change {
                Change::Cut(size) if keep() => self.durable.truncate(size),
                Change::Cut(_) => {}
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len();
                    let mut at = offset;
                    while at < end {
                        let sector_end = ((at / SECTOR + 1) * SECTOR).min(end);
                        if keep() {
                            if self.durable.len() < sector_end {
                                self.durable.resize(sector_end, 0);
                            }
                            self.durable[at..sector_end].copy_from_slice(&bytes[at - offset..sector_end - offset]);
                        }
                        at = sector_end;
                    }
                }
            }
        }
        let after = self.durable.len();
        if after > before {
            // The length need not have kept up with the bytes, nor the bytes with the length.
            match dice.below(4) {
                0 => self.durable.truncate(before + dice.below((after - before) as u64 + 1) as usize),
                1 if garbage => {
                    let from = before + dice.below((after - before) as u64) as usize;
                    self.durable[from..].iter_mut().for_each(|byte| *byte = dice.next() as u8);
                }
                _ => {}
            }
        } else if self.visible.len() > after && dice.one_in(3) {
            let grown = dice.below((self.visible.len() - after) as u64 + 1) as usize;
            self.durable.resize(after + grown, 0);
        }
    }
}

impl Inner {
    fn may_fail(&mut self) -> io::Result<()> {
        if self.fail_one_in == 0 || !self.dice.one_in(self.fail_one_in) {
            return Ok(());
        }
        self.failed = true;
        // ENOSPC, EIO.
        Err(io::Error::from_raw_os_error(if self.dice.one_in(2) { 28 } else { 5 }))
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.visible.get(&name(path)).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

struct FaultFile {
    disk: FaultDisk,
    file: usize,
}

impl Disk for FaultDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.lock().may_fail()
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(self.lock().visible.keys().cloned().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        if inner.visible.contains_key(&name(path)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let failure = inner.may_fail();
        if failure.is_err() && inner.dice.one_in(2) {
            failure?;
            unreachable!();
        }
        let file = inner.files.len();
        inner.files.push(Content::default());
        inner.visible.insert(name(path), file);
        // It may fail after the name was made.
        failure?;
        Ok(Box::new(FaultFile { disk: self.clone(), file }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.may_fail()?;
        Ok(Box::new(FaultFile { disk: self.clone(), file: inner.find(path)? }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FaultFile { disk: self.clone(), file: self.lock().find(path)? }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.may_fail()?;
        inner.find(path)?;
        inner.visible.remove(&name(path));
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.may_fail()?;
        inner.durable = inner.visible.clone();
        Ok(())
    }
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.file].visible.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let inner = self.disk.lock();
        let rest = inner.files[self.file].visible.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_all_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let failure = inner.may_fail();
        let written = match failure {
            Ok(()) => bytes.len(),
            Err(_) => inner.dice.below(bytes.len() as u64 + 1) as usize,
        };
        let (bytes, offset) = (&bytes[..written], offset as usize);
        let file = &mut inner.files[self.file];
        if file.visible.len() < offset + written {
            file.visible.resize(offset + written, 0);
        }
        file.visible[offset..offset + written].copy_from_slice(bytes);
        file.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
        failure
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let failure = if inner.fail_syncs { Err(io::ErrorKind::StorageFull.into()) } else { inner.may_fail() };
        let Inner { dice, files, .. } = &mut *inner;
        let file = &mut files[self.file];
        if failure.is_err() {
            file.settle(dice, true);
            return failure;
        }
        for change in std::mem::take(&mut file.pending) {
            match change {
                Change::Cut(size) => file.durable.truncate(size),
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len();
                    if file.durable.len() < end {
                        file.durable.resize(end, 0);
                    }
                    file.durable[offset..end].copy_from_slice(&bytes);
                }
            }
        }
        Ok(())
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.may_fail()?;
        let file = &mut inner.files[self.file];
        file.visible.truncate(size as usize);
        file.pending.push(Change::Cut(size as usize));
        Ok(())
    }
}

/// The mistake that the tests have to notice: it says "synced" at once and syncs when the next write comes.
pub struct AnswersBeforeSync(FaultDisk);

impl AnswersBeforeSync {
    pub fn new(disk: FaultDisk) -> Self {
        Self(disk)
    }
}

struct HastyFile {
    file: Box<dyn DiskFile>,
    owes: bool,
}

impl HastyFile {
    fn boxed(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(Self { file, owes: false })
    }
}

impl Disk for AnswersBeforeSync {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.create(path).map(HastyFile::boxed)
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.open_write(path).map(HastyFile::boxed)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.0.open_read(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
}

impl DiskFile for HastyFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, into)
    }

    fn write_all_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.owes) {
            self.file.sync_data()?;
        }
        self.file.write_all_at(offset, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.owes = true;
        Ok(())
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }
}
