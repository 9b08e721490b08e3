//! Log rows on their way to the forge: numbered, bounded, kept until the forge has acknowledged them.
//!
//! ```text
//! push ─► pending rows ─► batch (copied) ─► acknowledge (dropped)
//!           └─ full: the row is dropped and counted; a row that says so follows when there is room again
//! ```

use std::collections::VecDeque;
use std::time::SystemTime;

use runner_rpc::messages::LogRow;

/// Most rows that wait, and most bytes in them: an outage of a minute of a talkative job, in little memory.
const MAX_PENDING_ROWS: usize = 100_000;
const MAX_PENDING_BYTES: usize = 8 * 1024 * 1024;
/// Most rows and bytes of one call. A body well below the 2 MiB that servers commonly accept.
const MAX_BATCH_ROWS: usize = 1000;
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Room kept free for rows that must not be lost: those that tell of a limit, and the last one of the job.
const RESERVED_ROWS: usize = 8;

/// The rows that the forge has not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    /// Number of the first pending row.
    first: i64,
    pending: VecDeque<LogRow>,
    bytes: usize,
    /// Rows dropped since the last one that was taken.
    dropped: u64,
}

impl LogBuffer {
    /// Takes a row, unless the buffer is full. Gives the number of rows added: 0, 1, or 2 with a row about dropped ones.
    pub(crate) fn push(&mut self, content: String) -> i64 {
        let full =
            self.pending.len() + RESERVED_ROWS >= MAX_PENDING_ROWS || self.bytes + content.len() > MAX_PENDING_BYTES;
        if full {
            self.dropped += 1;
            return 0;
        }
        let told = self.tell_dropped();
        self.append(content);
        told + 1
    }

    /// Takes the last row of the job, whatever the limits. Gives the number of rows added.
    pub(crate) fn push_last(&mut self, content: String) -> i64 {
        let told = self.tell_dropped();
        self.append(content);
        told + 1
    }

    /// Number that the next row gets.
    pub(crate) fn next_number(&self) -> i64 {
        self.first + i64::try_from(self.pending.len()).unwrap_or(i64::MAX)
    }

    /// Whether rows wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether it is time to send without waiting for the next interval.
    pub(crate) fn is_filling(&self) -> bool {
        self.pending.len() >= MAX_BATCH_ROWS || self.bytes >= MAX_BATCH_BYTES
    }

    /// The rows to send next, the number of the first one, and whether these are all.
    pub(crate) fn batch(&self) -> (i64, Vec<LogRow>, bool) {
        let mut bytes = 0;
        let fits = |row: &&LogRow| {
            let first = bytes == 0;
            bytes += row.content.len() + 1;
            first || bytes <= MAX_BATCH_BYTES
        };
        let rows: Vec<LogRow> = self.pending.iter().take(MAX_BATCH_ROWS).take_while(fits).cloned().collect();
        let all = rows.len() == self.pending.len();
        (self.first, rows, all)
    }

    /// Drops what the forge has stored. Another one with our credentials may have written rows too (an early end,
    /// protocol 2.10): then our numbers continue after them.
    pub(crate) fn acknowledge(&mut self, stored: i64) {
        while self.first < stored
            && let Some(row) = self.pending.pop_front()
        {
            self.bytes -= row.content.len();
            self.first += 1;
        }
        self.first = self.first.max(stored);
    }

    fn tell_dropped(&mut self) -> i64 {
        if self.dropped == 0 {
            return 0;
        }
        self.append(format!("[{} lines dropped here: the runner's log buffer was full]", self.dropped));
        self.dropped = 0;
        1
    }

    fn append(&mut self, content: String) {
        self.bytes += content.len();
        self.pending.push_back(LogRow { time: Some(SystemTime::now().into()), content });
    }
}

#[cfg(test)]
mod tests {
    use super::{LogBuffer, MAX_BATCH_BYTES, MAX_BATCH_ROWS, MAX_PENDING_BYTES};

    fn filled(rows: usize) -> LogBuffer {
        let mut buffer = LogBuffer::default();
        for number in 0..rows {
            assert_eq!(buffer.push(number.to_string()), 1);
        }
        buffer
    }

    #[test]
    fn rows_stay_until_they_are_acknowledged() {
        let mut buffer = filled(3);
        assert_eq!(buffer.batch().0, 0);
        buffer.acknowledge(2);
        let (index, rows, all) = buffer.batch();
        assert_eq!((index, rows.len(), rows[0].content.as_str(), all), (2, 1, "2", true));
        buffer.acknowledge(1);
        assert_eq!(buffer.batch().0, 2, "an old acknowledgement changes nothing");
        assert_eq!(buffer.next_number(), 3);
    }

    #[test]
    fn numbers_continue_after_rows_of_another_writer() {
        let mut buffer = filled(2);
        buffer.acknowledge(5);
        assert!(buffer.is_empty());
        assert_eq!(buffer.next_number(), 5);
    }

    #[test]
    fn a_batch_is_bounded_in_rows_and_bytes() {
        let (_, rows, all) = filled(MAX_BATCH_ROWS + 1).batch();
        assert_eq!((rows.len(), all), (MAX_BATCH_ROWS, false));
        let mut buffer = LogBuffer::default();
        for _ in 0..3 {
            buffer.push("x".repeat(MAX_BATCH_BYTES / 2));
        }
        assert_eq!(buffer.batch().1.len(), 1);
        assert!(buffer.is_filling());
    }

    #[test]
    fn a_full_buffer_drops_rows_and_says_so() {
        let mut buffer = LogBuffer::default();
        let line = "x".repeat(MAX_PENDING_BYTES / 2);
        assert_eq!([buffer.push(line.clone()), buffer.push(line.clone())], [1, 1]);
        assert_eq!([buffer.push(line.clone()), buffer.push("short".to_owned())], [0, 0]);
        buffer.acknowledge(2);
        assert_eq!(buffer.push("after".to_owned()), 2);
        let contents: Vec<String> = buffer.batch().1.into_iter().map(|row| row.content).collect();
        assert_eq!(contents, ["[2 lines dropped here: the runner's log buffer was full]", "after"]);
    }

    #[test]
    fn the_last_row_is_never_dropped() {
        let mut buffer = LogBuffer::default();
        buffer.push("x".repeat(MAX_PENDING_BYTES));
        assert_eq!(buffer.push("y".to_owned()), 0);
        assert_eq!(buffer.push_last("end".to_owned()), 2);
    }
}
