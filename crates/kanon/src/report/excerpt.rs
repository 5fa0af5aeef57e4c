//! The part of a text that is shown around a mistake: whole lines, so that line and column come out right; the renderer
//! cuts long ones around the mark.

use kanon_lang::Span;

/// What is marked at most, in bytes: more is no place.
const MARK_MAX: usize = 300;

/// A span over more lines than this is shown by its first line.
const LINES_MAX: usize = 4;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt<'s> {
    /// What is shown.
    pub(super) text: &'s str,
    /// The number of its first line.
    pub(super) first_line: usize,
    /// The marked bytes of `text`; at letters' borders.
    pub(super) range: std::ops::Range<usize>,
}

impl<'s> Excerpt<'s> {
    /// The lines that `span` touches. Spans that lie wrong are put right.
    pub(super) fn of(source: &'s str, span: Span) -> Excerpt<'s> {
        let start = source.floor_char_boundary(span.start as usize);
        let end = source.ceil_char_boundary(span.end as usize).max(start);
        let end = word_end(source, start, end);
        let from = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let first_line = source[..from].matches('\n').count() + 1;
        // A span that takes the end of its line with it does not touch the next one.
        let end = if end > start + 1 && source[..end].ends_with('\n') { end - 1 } else { end };
        let line_end = |at: usize| source[at..].find('\n').map_or(source.len(), |it| at + it);
        let end = if source[start..end].matches('\n').count() < LINES_MAX { end } else { line_end(start).max(start) };
        let end = end.min(source.floor_char_boundary(start + MARK_MAX));
        let text = &source[from..line_end(end)];
        Excerpt { text, first_line, range: start - from..end - from }
    }
}

/// The end of the word that begins at `start`, where the span says no more than its beginning.
fn word_end(source: &str, start: usize, end: usize) -> usize {
    let is_word = |it: char| it.is_alphanumeric() || it == '_' || it == '$';
    // A member is named with its dot.
    let lead = source[start..].bytes().take_while(|it| matches!(it, b'.' | b'?')).count().min(2);
    let (at, start) = (start, start + lead);
    let mut letters = source[start..].char_indices();
    let first = letters.next().filter(|(_, it)| is_word(*it)).map(|(_, it)| it.len_utf8());
    match first {
        Some(len) if end <= at.max(start) + len => {
            letters.find(|(_, it)| !is_word(*it)).map_or(source.len(), |(at, _)| start + at)
        }
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_over_many_lines_are_shown_by_their_first() {
        let source = "a\nbb(\n1,\n2,\n3,\n4)\nc";
        let excerpt = Excerpt::of(source, Span::new(2, 17));
        assert_eq!(excerpt, Excerpt { text: "bb(", first_line: 2, range: 0..3 });
        let excerpt = Excerpt::of(source, Span::new(2, 7));
        assert_eq!(excerpt, Excerpt { text: "bb(\n1,", first_line: 2, range: 0..5 });
    }

    #[test]
    fn every_span_of_every_text_has_an_excerpt() {
        let long = "é".repeat(3_000);
        for source in ["", "\n", "a\n\nb", "é\r\n日本\t", &long] {
            let len = source.len() as u32;
            for start in (0..=len + 2).step_by(source.len() / 64 + 1) {
                for end in (0..=len + 2).step_by(source.len() / 64 + 1) {
                    let Excerpt { text, range, .. } = Excerpt::of(source, Span { start, end });
                    assert!(text.get(range.clone()).is_some(), "{source:?} {start}..{end}: {range:?}");
                }
            }
        }
    }
}
