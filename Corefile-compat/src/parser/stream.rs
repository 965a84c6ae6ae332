//! The tokens still to be read: a stack, with the innermost import on top.

use std::path::PathBuf;
use std::rc::Rc;

use crate::lexer::Token;

/// What a list of tokens was imported as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File(PathBuf),
    Snippet(String),
}

struct Frame {
    tokens: Rc<[Token]>,
    next: usize,
    origin: Origin,
}

#[derive(Default)]
pub(super) struct Stream {
    frames: Vec<Frame>,
    taken: usize,
    last: Option<Token>,
}

impl Stream {
    /// Reads these tokens first.
    pub(super) fn push(&mut self, tokens: Rc<[Token]>, origin: Origin) {
        self.frames.push(Frame { tokens, next: 0, origin });
    }

    /// The next token, left in its place.
    pub(super) fn peek(&self) -> Option<&Token> {
        let frame = self.unread()?;
        frame.tokens.get(frame.next)
    }

    /// The innermost list that is not read to its end. One that ends with an import stays open below what it imports,
    /// so that it is noticed if it imports itself.
    fn unread(&self) -> Option<&Frame> {
        self.frames.iter().rev().find(|frame| frame.next < frame.tokens.len())
    }

    pub(super) fn take(&mut self) -> Option<Token> {
        while self.frames.last().is_some_and(|frame| frame.next >= frame.tokens.len()) {
            self.frames.pop();
        }
        let frame = self.frames.last_mut()?;
        let token = frame.tokens.get(frame.next)?.clone();
        frame.next += 1;
        self.taken += 1;
        self.last = Some(token.clone());
        Some(token)
    }

    pub(super) fn take_if(&mut self, wanted: impl Fn(&Token) -> bool) -> Option<Token> {
        if wanted(self.peek()?) { self.take() } else { None }
    }

    /// The token taken last.
    pub(super) fn last(&self) -> Option<&Token> {
        self.last.as_ref()
    }

    /// The tokens from the next one to the end of its line.
    pub(super) fn line(&self) -> &[Token] {
        let Some(frame) = self.unread() else {
            return &[];
        };
        let rest = &frame.tokens[frame.next..];
        let length = rest.iter().skip(1).position(|token| token.new_line).map_or(rest.len(), |further| further + 1);
        &rest[..length]
    }

    /// Tokens taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Forgets what is left.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
    }

    /// Whether these tokens are being read right now, so that to import them again would never end. Files of the same
    /// pattern that wait for their turn are not.
    pub(super) fn is_open(&self, origin: &Origin) -> bool {
        self.frames.iter().any(|frame| frame.next > 0 && frame.origin == *origin)
    }

    /// Imports inside imports.
    pub(super) fn depth(&self) -> usize {
        self.frames.iter().filter(|frame| frame.next > 0).count()
    }
}
