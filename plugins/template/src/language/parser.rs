//! Reads a template: nothing that it lets through is unknown.

use contract::limits::EXPRESSION_DEPTH_MAX;

use super::Wrong;
use super::ast::{Node, Pipe, Program, Target};
use super::functions::Function;
use super::lexer::{Kind, Piece, Token, pieces};

/// The groups of the regular expressions that may fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// Their names, and their numbers from 0.
    pub(crate) names: Vec<String>,
    /// How many elements `.Match` has at most.
    pub(crate) most: usize,
}

impl Program {
    /// Reads a template for names that one of these regular expressions fits.
    pub(crate) fn parse(text: &str, groups: &Groups) -> Result<Self, Wrong> {
        let mut parser = Parser {
            pieces: pieces(text)?.into_iter(),
            end: text.len(),
            groups,
            variables: Vec::new(),
            slots: 0,
            depth: 0,
            is_root: true,
            is_personal: false,
        };
        let (nodes, stop) = parser.nodes()?;
        match stop {
            Stop::Text => Ok(Self { nodes, slots: parser.slots, is_personal: parser.is_personal }),
            Stop::Else(at, _) => Err(Wrong::new(at, "an `else` without `if` or `with`", "`if` before it")),
            Stop::End(at) => Err(Wrong::new(at, "an `end` of nothing", "`if` or `with` before it")),
        }
    }
}

/// What a list of nodes ended at.
enum Stop {
    /// The end of the text.
    Text,
    /// `else`, and what stands behind it.
    Else(usize, Vec<Token>),
    End(usize),
}

pub(super) struct Parser<'g> {
    pieces: std::vec::IntoIter<Piece>,
    /// Where the text ends.
    end: usize,
    pub(super) groups: &'g Groups,
    /// Those that may be used now; their slots are their places.
    pub(super) variables: Vec<String>,
    slots: usize,
    depth: usize,
    /// Whether `.` is what is known of the question, not what `with` says.
    pub(super) is_root: bool,
    pub(super) is_personal: bool,
}

const KEYWORDS: [&str; 4] = ["if", "with", "else", "end"];
const OTHER_KEYWORDS: [&str; 6] = ["range", "define", "template", "block", "break", "continue"];

impl Parser<'_> {
    fn nodes(&mut self) -> Result<(Vec<Node>, Stop), Wrong> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (at, tokens) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { at, tokens } => (at, tokens),
            };
            let keyword = tokens.first().and_then(|token| match &token.kind {
                Kind::Word(word) => Some(word.as_str()),
                _ => None,
            });
            match keyword {
                Some("end") if tokens.len() == 1 => return Ok((nodes, Stop::End(at))),
                Some("else") => return Ok((nodes, Stop::Else(at, tokens[1..].to_vec()))),
                Some("if" | "with") => nodes.push(self.branch(at, &tokens)?),
                Some(word) if OTHER_KEYWORDS.contains(&word) => {
                    let known = "a field, a function, `if`, `with`, `else` or `end`";
                    return Err(Wrong::new(tokens[0].at, format!("`{word}` is not known here"), known));
                }
                _ => nodes.push(Node::Action(self.whole_pipe(&tokens, at)?)),
            }
        }
        Ok((nodes, Stop::Text))
    }

    /// `if` or `with`, to its `end`.
    fn branch(&mut self, at: usize, tokens: &[Token]) -> Result<Node, Wrong> {
        self.deeper(at)?;
        let visible = self.variables.len();
        let is_with = tokens[0].kind == Kind::Word("with".to_owned());
        let pipe = self.whole_pipe(&tokens[1..], at)?;
        let was_root = self.is_root;
        self.is_root &= !is_with;
        let inside = self.variables.len();
        let (then, stop) = self.nodes()?;
        self.is_root = was_root;
        self.variables.truncate(inside);
        let otherwise = match stop {
            Stop::End(_) => Vec::new(),
            Stop::Text => return Err(self.unended(tokens, at)),
            Stop::Else(at, behind) if behind.is_empty() => match self.nodes()? {
                (otherwise, Stop::End(_)) => otherwise,
                (_, Stop::Else(again, _)) => return Err(Wrong::new(again, "a second `else`", "`end`")),
                (_, Stop::Text) => return Err(self.unended(tokens, at)),
            },
            Stop::Else(at, behind) if matches!(&behind[0].kind, Kind::Word(word) if word == "if" || word == "with") => {
                vec![self.branch(at, &behind)?]
            }
            Stop::Else(_, behind) => return Err(Wrong::new(behind[0].at, "something behind `else`", "`}}` or `if`")),
        };
        self.variables.truncate(visible);
        self.depth -= 1;
        Ok(match is_with {
            true => Node::With { value: pipe, then, otherwise },
            false => Node::If { condition: pipe, then, otherwise },
        })
    }

    fn unended(&self, tokens: &[Token], at: usize) -> Wrong {
        let word = if tokens[0].kind == Kind::Word("with".to_owned()) { "with" } else { "if" };
        Wrong::new(at.min(self.end), format!("an `{word}` that does not end"), "`{{end}}`")
    }

    /// One step further inside.
    pub(super) fn deeper(&mut self, at: usize) -> Result<(), Wrong> {
        self.depth += 1;
        let most = EXPRESSION_DEPTH_MAX;
        if self.depth > most {
            return Err(Wrong::new(at, format!("more than {most} inside each other"), "a simpler template"));
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// A pipe that takes all tokens.
    fn whole_pipe(&mut self, tokens: &[Token], at: usize) -> Result<Pipe, Wrong> {
        let mut rest = Tokens { tokens, next: 0, end: at };
        let pipe = self.pipe(&mut rest)?;
        match rest.peek() {
            None => Ok(pipe),
            Some(token) => Err(Wrong::new(token.at, "a `)` without `(`", "`}}`")),
        }
    }

    /// `$x :=` or `$x =`, if it stands here. The variable is known once its value has been read.
    pub(super) fn target(&mut self, tokens: &mut Tokens<'_>) -> Result<Option<Target>, Wrong> {
        let (Some(first), Some(second)) = (tokens.peek(), tokens.tokens.get(tokens.next + 1)) else { return Ok(None) };
        let Kind::Variable(name) = &first.kind else { return Ok(None) };
        let (name, at, is_new) = match second.kind {
            Kind::Declare => (name.clone(), first.at, true),
            Kind::Assign => (name.clone(), first.at, false),
            _ => return Ok(None),
        };
        tokens.next += 2;
        let slot = match is_new {
            true => self.variables.len(),
            false => self.slot(&name, at)?,
        };
        Ok(Some(Target { name, slot, is_new }))
    }

    /// Makes a variable known from here on.
    pub(super) fn declare(&mut self, target: &Target) {
        if target.is_new {
            self.variables.truncate(target.slot);
            self.variables.push(target.name.clone());
            self.slots = self.slots.max(self.variables.len());
        }
    }

    pub(super) fn slot(&self, name: &str, at: usize) -> Result<usize, Wrong> {
        self.variables.iter().rposition(|known| known == name).ok_or_else(|| {
            let known = match self.variables.is_empty() {
                true => format!("`{name} := ...` before it"),
                false => crate::listed(self.variables.iter().map(String::as_str)),
            };
            Wrong::new(at, format!("there is no variable `{name}`"), known)
        })
    }
}

/// The tokens of an action, taken from left to right.
pub(super) struct Tokens<'t> {
    tokens: &'t [Token],
    next: usize,
    /// Where the action begins: the place of what is missing.
    end: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next)
    }

    pub(super) fn take(&mut self) -> Option<&'t Token> {
        let token = self.peek()?;
        self.next += 1;
        Some(token)
    }

    /// Where the next token stands, or the action in which it is missing.
    pub(super) fn at(&self) -> usize {
        self.peek().map_or(self.end, |token| token.at)
    }
}

/// Words that are no function, with what they are.
pub(super) fn unknown_word(word: &str, at: usize) -> Wrong {
    let expected = match KEYWORDS.contains(&word) {
        true => "a field or a function".to_owned(),
        false => crate::listed(Function::names()),
    };
    Wrong::new(at, format!("there is no function `{word}` here"), expected)
}
