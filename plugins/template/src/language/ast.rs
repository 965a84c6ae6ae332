//! A template that was read: nothing in it is unknown any more. Its `Display` is the form that CoreDNS's metrics have.

use std::fmt;

use super::functions::Function;

/// A whole template.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) nodes: Vec<Node>,
    /// How many variables there are at most.
    pub(crate) slots: usize,
    /// True if its text may depend on who asks, or on what a message has beside its question.
    pub(crate) is_personal: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If { condition: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    With { value: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
}

/// Commands, each given the value of the one before as its last argument.
#[derive(Clone, Debug)]
pub(crate) struct Pipe {
    pub(crate) target: Option<Target>,
    pub(crate) commands: Vec<Command>,
}

/// The variable that a pipe's value goes to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) slot: usize,
    pub(crate) is_new: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Value(Operand),
    /// `.Meta`, whose one argument may come out of the pipe.
    Meta(Option<Operand>),
    Call(Function, Vec<Operand>),
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Text {
        value: String,
        written: String,
    },
    Number {
        value: i128,
        written: String,
    },
    Bool(bool),
    Dot,
    Field(Field),
    Variable {
        name: String,
        slot: usize,
    },
    /// A key of a map.
    Key {
        of: Box<Operand>,
        key: String,
    },
    Pipe(Box<Pipe>),
}

/// What is known of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Zone,
    Name,
    Regex,
    Match,
    Group,
    Class,
    Type,
    Remote,
    QuestionName,
    QuestionType,
    QuestionClass,
    Message(Header),
}

/// What the header of the client's message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Id,
    Opcode,
    Rcode,
    Flag(u16),
}

impl Program {
    /// Its one text, if it has nothing but that.
    pub(crate) fn constant(&self) -> Option<&str> {
        match self.nodes.as_slice() {
            [] => Some(""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Its text with what `value` says of its fields. `None` if `value` says nothing of one, or if it has more than plain
    /// fields between its texts.
    pub(crate) fn filled(&self, value: impl Fn(Field) -> Option<String>) -> Option<String> {
        let text = |node: &Node| match node {
            Node::Text(text) => Some(text.clone()),
            Node::Action(Pipe { target: None, commands }) => match commands.as_slice() {
                [Command::Value(Operand::Field(field))] => value(*field),
                _ => None,
            },
            _ => None,
        };
        self.nodes.iter().map(text).collect()
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        all(&self.nodes, f)
    }
}

fn all(nodes: &[Node], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    nodes.iter().try_for_each(|node| write!(f, "{node}"))
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, pipe, then, otherwise) = match self {
            Self::Text(text) => return f.write_str(text),
            Self::Action(pipe) => return write!(f, "{{{{{pipe}}}}}"),
            Self::If { condition, then, otherwise } => ("if", condition, then, otherwise),
            Self::With { value, then, otherwise } => ("with", value, then, otherwise),
        };
        write!(f, "{{{{{word} {pipe}}}}}")?;
        all(then, f)?;
        if !otherwise.is_empty() {
            f.write_str("{{else}}")?;
            all(otherwise, f)?;
        }
        f.write_str("{{end}}")
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "{} {} ", target.name, if target.is_new { ":=" } else { "=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            f.write_str(if index > 0 { " | " } else { "" })?;
            match command {
                Command::Value(operand) => write!(f, "{operand}")?,
                Command::Meta(None) => f.write_str(".Meta")?,
                Command::Meta(Some(label)) => write!(f, ".Meta {label}")?,
                Command::Call(function, arguments) => {
                    f.write_str(function.name())?;
                    arguments.iter().try_for_each(|argument| write!(f, " {argument}"))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { written, .. } | Self::Number { written, .. } => f.write_str(written),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Dot => f.write_str("."),
            Self::Field(field) => f.write_str(super::fields::written(*field)),
            Self::Variable { name, .. } => f.write_str(name),
            Self::Key { of, key } => match &**of {
                Self::Dot => write!(f, ".{key}"),
                of => write!(f, "{of}.{key}"),
            },
            Self::Pipe(pipe) => write!(f, "({pipe})"),
        }
    }
}
