//! Mistakes in policy text as a terminal shows them: message, place, the line with carets under the offending word, and
//! what to do. What is wrong comes from the languages; nothing here knows a grammar. Colour is written always: whoever
//! prints goes through `anstream`, which takes it away where it does not belong.

mod excerpt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use kanon_lang::{Diagnostic, Diagnostics, EvalError, Span};

use crate::exit::{Exit, Failure};
use excerpt::Excerpt;

/// More mistakes than this help nobody: the first ones are shown, the others counted.
const MARKS_MAX: usize = 20;

/// Where no terminal says how wide it is.
const WIDTH: usize = 120;

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The text does not compile, or its evaluation failed.
    Error,
    /// The text compiles and is likely not what was meant.
    Warning,
}

impl Severity {
    /// Its name in machine output.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// All marks in one text, one below the other. `place` names the text: a file, or `expression`.
pub(crate) fn render<'d>(
    place: &str,
    source: &str,
    marks: impl IntoIterator<Item = (Severity, &'d Diagnostic)>,
) -> String {
    render_for(place, source, marks, width())
}

/// The failure of a command whose text does not compile.
pub(crate) fn compile_failure(place: &str, diagnostics: &Diagnostics) -> Failure {
    let marks = diagnostics.list.iter().map(|it| (Severity::Error, it));
    Failure::report(Exit::Failure, render(place, &diagnostics.source, marks))
}

/// The failure of a command whose evaluation failed.
pub(crate) fn eval_failure(place: &str, source: &str, error: &EvalError, help: Option<String>) -> Failure {
    match error.span {
        Some(span) => {
            let mark = Diagnostic { message: error.message.clone(), span, help };
            Failure::report(Exit::Failure, render(place, source, [(Severity::Error, &mark)]))
        }
        None => Failure::new(error.message.clone()),
    }
}

/// Line and column (both from 1, columns in characters) of a place in the text.
pub(crate) fn position(source: &str, span: Span) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(span.start as usize)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn width() -> usize {
    let mut table = comfy_table::Table::new();
    // The width of the terminal that standard error goes to, where it is one.
    table.use_stderr().width().map_or(WIDTH, |it| usize::from(it).max(40))
}

fn render_for<'d>(
    place: &str,
    source: &str,
    marks: impl IntoIterator<Item = (Severity, &'d Diagnostic)>,
    width: usize,
) -> String {
    let renderer = Renderer::styled().term_width(width);
    let mut marks = marks.into_iter();
    let mut out = String::new();
    for (severity, mark) in marks.by_ref().take(MARKS_MAX) {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &renderer.render(&[group(place, source, severity, mark)]);
        out.push('\n');
    }
    match marks.count() {
        0 => out,
        more => format!("{out}\n… and {more} more\n"),
    }
}

fn group<'g>(place: &'g str, source: &'g str, severity: Severity, mark: &'g Diagnostic) -> Group<'g> {
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let Excerpt { text, first_line, range } = Excerpt::of(source, mark.span);
    let snippet = Snippet::source(text).path(place).line_start(first_line);
    let group = level.primary_title(&*mark.message).element(snippet.annotation(AnnotationKind::Primary.span(range)));
    match &mark.help {
        Some(help) => group.element(Level::HELP.message(&**help)),
        None => group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, span: (usize, usize), help: Option<&str>, want: &str) {
        let mark =
            Diagnostic { message: "broken".to_owned(), span: Span::new(span.0, span.1), help: help.map(str::to_owned) };
        let out = render_for("expression", source, [(Severity::Error, &mark)], 60);
        assert_eq!(anstream::adapter::strip_str(&out).to_string(), want.replace("\n    ", "\n"), "{source:?} {span:?}");
    }

    #[test]
    fn carets_stand_under_the_whole_word() {
        check(
            "a + objct.spec",
            (4, 9),
            Some("did you mean `object`?"),
            "error: broken\n \
                 --> expression:1:5\n  \
                  |\n\
                1 | a + objct.spec\n  \
                  |     ^^^^^\n  \
                  |\n  \
                  = help: did you mean `object`?\n",
        );
        // A language that knows only where a word begins gets the whole word marked all the same.
        check(
            "a + objct.spec",
            (4, 4),
            None,
            "error: broken\n --> expression:1:5\n  |\n1 | a + objct.spec\n  |     ^^^^^\n",
        );
        check("a +", (3, 3), None, "error: broken\n --> expression:1:4\n  |\n1 | a +\n  |    ^\n");
        check("", (0, 0), None, "error: broken\n --> expression:1:1\n  |\n1 |\n  | ^\n");
    }

    #[test]
    fn tabs_wide_letters_and_lines_are_counted_as_they_are_shown() {
        check(
            "x\n\t日本 == y1",
            (13, 15),
            None,
            "error: broken\n --> expression:2:8\n  |\n2 |     日本 == y1\n  |             ^^\n",
        );
        // A span into the middle of a letter, beyond the end, or backwards is still shown.
        check("é", (1, 1), None, "error: broken\n --> expression:1:1\n  |\n1 | é\n  | ^\n");
        check("ab", (7, 90), None, "error: broken\n --> expression:1:3\n  |\n1 | ab\n  |   ^\n");
        check("ab cd", (3, 1), None, "error: broken\n --> expression:1:4\n  |\n1 | ab cd\n  |    ^^\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let source = format!("{}wrong{}", "x ".repeat(50_000), " y".repeat(50_000));
        let mark = Diagnostic { message: "broken".to_owned(), span: Span::new(100_000, 100_005), help: None };
        let out = render_for("expression", &source, [(Severity::Error, &mark)], 60);
        let out = anstream::adapter::strip_str(&out).to_string();
        assert!(out.contains("expression:1:100001") && out.contains("wrong") && out.contains("^^^^^"), "{out}");
        assert!(out.lines().all(|it| it.chars().count() <= 80), "{out}");
    }

    #[test]
    fn many_mistakes_are_counted() {
        let mark = Diagnostic { message: "broken".to_owned(), span: Span::new(0, 1), help: None };
        let out = render_for("expression", "a", std::iter::repeat_n((Severity::Warning, &mark), 33), 60);
        let out = anstream::adapter::strip_str(&out).to_string();
        assert_eq!(out.matches("warning: broken").count(), 20);
        assert!(out.ends_with("\n… and 13 more\n"), "{out}");
    }
}
