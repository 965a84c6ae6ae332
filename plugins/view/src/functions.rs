//! The functions that expressions have: what CoreDNS offers about a question, and a few of expr-lang's own.

use crate::Wrong;
use crate::code::Fact;

/// What an expression is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    Text,
}

impl Type {
    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Text => "a text",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Something of the question; no arguments.
    Fact(Fact),
    InCidr,
    Metadata,
    Lower,
    Upper,
    Len,
    HasPrefix,
    HasSuffix,
    Int,
    String,
}

/// Name, function, what it takes (`None`: any value), what it gives.
type Row = (&'static str, Function, &'static [Option<Type>], Type);

const TEXT: Option<Type> = Some(Type::Text);

const FUNCTIONS: [Row; 22] = [
    ("bufsize", Function::Fact(Fact::BufSize), &[], Type::Int),
    ("class", Function::Fact(Fact::Class), &[], Type::Text),
    ("client_ip", Function::Fact(Fact::ClientIp), &[], Type::Text),
    ("do", Function::Fact(Fact::Do), &[], Type::Bool),
    ("id", Function::Fact(Fact::Id), &[], Type::Int),
    ("name", Function::Fact(Fact::Name), &[], Type::Text),
    ("opcode", Function::Fact(Fact::Opcode), &[], Type::Int),
    ("port", Function::Fact(Fact::Port), &[], Type::Text),
    ("proto", Function::Fact(Fact::Proto), &[], Type::Text),
    ("server_ip", Function::Fact(Fact::ServerIp), &[], Type::Text),
    ("server_port", Function::Fact(Fact::ServerPort), &[], Type::Text),
    ("size", Function::Fact(Fact::Size), &[], Type::Int),
    ("type", Function::Fact(Fact::Type), &[], Type::Text),
    ("incidr", Function::InCidr, &[TEXT, TEXT], Type::Bool),
    ("metadata", Function::Metadata, &[TEXT], Type::Text),
    ("lower", Function::Lower, &[TEXT], Type::Text),
    ("upper", Function::Upper, &[TEXT], Type::Text),
    ("len", Function::Len, &[TEXT], Type::Int),
    ("hasPrefix", Function::HasPrefix, &[TEXT, TEXT], Type::Bool),
    ("hasSuffix", Function::HasSuffix, &[TEXT, TEXT], Type::Bool),
    ("int", Function::Int, &[None], Type::Int),
    ("string", Function::String, &[None], Type::Text),
];

impl Function {
    /// The function of this name, what it takes and what it gives.
    pub(crate) fn named(name: &str, at: usize) -> Result<(Self, &'static [Option<Type>], Type), Wrong> {
        let row = FUNCTIONS.iter().find(|row| row.0 == name);
        row.map(|row| (row.1, row.2, row.3)).ok_or_else(|| unknown(name, at))
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|row| row.0)
    }
}

fn unknown(name: &str, at: usize) -> Wrong {
    Wrong { word: Some(name.to_owned()), ..Wrong::new(at, format!("there is no function `{name}` here"), known()) }
}

/// A name that no parentheses stand behind.
pub(crate) fn no_call(name: &str, at: usize) -> Wrong {
    let is_function = FUNCTIONS.iter().any(|row| row.0 == name);
    match is_function {
        true => Wrong::new(at, format!("`{name}` is a function"), format!("`{name}()`")),
        false => Wrong { message: format!("`{name}` is not known here"), ..unknown(name, at) },
    }
}

fn known() -> String {
    let names: Vec<String> = Function::names().map(|name| format!("{name}()")).collect();
    format!("a text such as 'A', a number, or one of {}", names.join(", "))
}
