//! Server-sent events, read piece by piece (WHATWG HTML, 9.2.6). Where the pieces come from is `listen`'s business.

/// The longest event that is kept, in bytes; the rest of a longer one is dropped.
const EVENT_MAX: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub data: String,
}

/// What has come so far.
#[derive(Debug, Default)]
pub struct Stream {
    line: Vec<u8>,
    event: Event,
    id: Option<String>,
    /// The `id` to come back with.
    pub last_id: Option<String>,
}

impl Stream {
    /// Another connection begins: what was cut off in the last one is told again.
    pub fn begin(&mut self) {
        *self = Self { last_id: self.last_id.take(), ..Self::default() };
    }

    /// Takes a piece; gives the events that end in it.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in piece {
            if byte != b'\n' {
                if self.line.len() < EVENT_MAX {
                    self.line.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            events.extend(self.line(&line));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            // The number counts even where there is no data.
            if let Some(id) = self.id.take() {
                self.last_id = Some(id);
            }
            let event = std::mem::take(&mut self.event);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "data" if self.event.data.len() + value.len() < EVENT_MAX => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = "retry: 2000\r\nevent: hello\r\ndata: {\"a\":1}\r\nid: 7\r\n\r\n: still here\nid: 9\n\nevent: post\n\
                    data: one\ndata:two\n\nevent: none\n\ndata\n\n";
        for step in [1, 2, 3, 7, text.len()] {
            let mut stream = Stream::default();
            let events: Vec<_> = text.as_bytes().chunks(step).flat_map(|piece| stream.take(piece)).collect();
            let seen: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.data.as_str())).collect();
            assert_eq!(seen, [("hello", "{\"a\":1}"), ("post", "one\ntwo")], "pieces of {step}");
            assert_eq!(stream.last_id.as_deref(), Some("9"));
        }
    }

    #[test]
    fn a_number_counts_only_at_the_end_of_its_event() {
        let mut stream = Stream::default();
        assert_eq!(stream.take(b"id: 3\ndata: x\n"), []);
        assert_eq!(stream.last_id, None);
        assert_eq!(stream.take(b"\n").len(), 1);
        assert_eq!(stream.last_id.as_deref(), Some("3"));
    }

    #[test]
    fn hostile_streams_take_no_more_memory_than_one_event() {
        let mut stream = Stream::default();
        for _ in 0..40 {
            stream.take(&[b'x'; 100_000]);
        }
        stream.take(b"\n\n\xff\xfe: \0\n");
        for _ in 0..40 {
            stream.take(b"data: ");
            stream.take(&[b'y'; 100_000]);
            stream.take(b"\n");
        }
        assert!(stream.line.len() <= EVENT_MAX && stream.event.data.len() <= EVENT_MAX);
        assert_eq!(stream.take(b"\n").len(), 1);
    }
}
