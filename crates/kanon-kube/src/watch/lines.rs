//! Cuts a stream of chunks into lines without copying those that lie within one chunk.

use bytes::{Bytes, BytesMut};

/// A line that is still incomplete.
#[derive(Default)]
pub(super) struct Lines {
    rest: BytesMut,
}

impl Lines {
    /// Takes a chunk and gives the lines it completes, without line ends; empty lines are left out.
    pub(super) fn push(&mut self, mut chunk: Bytes) -> Vec<Bytes> {
        let mut lines = Vec::new();
        while let Some(at) = chunk.iter().position(|byte| *byte == b'\n') {
            let head = chunk.split_to(at + 1);
            let head = head.slice(..at);
            let line = if self.rest.is_empty() {
                head
            } else {
                self.rest.extend_from_slice(&head);
                self.rest.split().freeze()
            };
            if !line.is_empty() {
                lines.push(line);
            }
        }
        self.rest.extend_from_slice(&chunk);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_the_stream_is_cut() {
        let text = b"{\"a\":1}\n\n{\"b\":22}\n{\"c\"";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let found: Vec<_> = text.chunks(size).flat_map(|chunk| lines.push(Bytes::copy_from_slice(chunk))).collect();
            assert_eq!(found, [&b"{\"a\":1}"[..], b"{\"b\":22}"], "{size}");
        }
    }
}
