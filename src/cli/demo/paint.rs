//! Colour on a terminal, and nowhere else.

use std::ffi::OsString;
use std::io::IsTerminal;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Escape sequences of ECMA-48.
    Colour,
    /// None.
    Plain,
}

/// What a colour says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hue {
    /// As wished.
    Good,
    /// Worse than it could be.
    Poor,
    /// Wrong.
    Bad,
    /// Beside the point.
    Faint,
}

impl Paint {
    /// Colour if `output` is a terminal that has it and `NO_COLOR` is not set to anything.
    pub(super) fn of(output: &impl IsTerminal) -> Self {
        Self::choose(output.is_terminal(), std::env::var_os("NO_COLOR"), std::env::var_os("TERM"))
    }

    fn choose(terminal: bool, no_color: Option<OsString>, term: Option<OsString>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        let able = term.is_none_or(|term| term != "dumb");
        if terminal && able && !refused { Self::Colour } else { Self::Plain }
    }

    /// The text, bold.
    pub(super) fn bold(self, text: &str) -> String {
        self.sequence("1", text)
    }

    /// The text in the colour that says so.
    pub(super) fn hue(self, hue: Hue, text: &str) -> String {
        let code = match hue {
            Hue::Good => "32",
            Hue::Poor => "33",
            Hue::Bad => "31",
            Hue::Faint => "2",
        };
        self.sequence(code, text)
    }

    fn sequence(self, code: &str, text: &str) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_terminal_that_has_it_and_nobody_against_it() {
        let set = |value: &str| Some(OsString::from(value));
        for (terminal, no_color, term, expected) in [
            (true, None, set("xterm"), Paint::Colour),
            (true, None, None, Paint::Colour),
            (true, set(""), None, Paint::Colour), // by no-color.org an empty value says nothing
            (true, set("1"), set("xterm"), Paint::Plain),
            (true, set("0"), None, Paint::Plain),
            (true, None, set("dumb"), Paint::Plain),
            (false, None, set("xterm"), Paint::Plain),
        ] {
            assert_eq!(
                Paint::choose(terminal, no_color.clone(), term.clone()),
                expected,
                "{terminal} {no_color:?} {term:?}"
            );
        }
    }
}
