//! The functions that templates have: those of Go's, as far as they are of use here, and CoreDNS's `parseInt`.

use std::cmp::Ordering;

use super::Failed;
use super::format::{self, spaced};
use super::value::{Value, bounded};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    And,
    Or,
    Not,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Index,
    Slice,
    Len,
    Print,
    Printf,
    Println,
    ParseInt,
}

/// Each with its name and how many arguments it takes.
const FUNCTIONS: [(Function, &str, usize, usize); 16] = [
    (Function::And, "and", 1, usize::MAX),
    (Function::Or, "or", 1, usize::MAX),
    (Function::Not, "not", 1, 1),
    (Function::Eq, "eq", 2, usize::MAX),
    (Function::Ne, "ne", 2, 2),
    (Function::Lt, "lt", 2, 2),
    (Function::Le, "le", 2, 2),
    (Function::Gt, "gt", 2, 2),
    (Function::Ge, "ge", 2, 2),
    (Function::Index, "index", 2, 2),
    (Function::Slice, "slice", 1, 3),
    (Function::Len, "len", 1, 1),
    (Function::Print, "print", 0, usize::MAX),
    (Function::Printf, "printf", 1, usize::MAX),
    (Function::Println, "println", 0, usize::MAX),
    (Function::ParseInt, "parseInt", 3, 3),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|row| row.1)
    }

    pub(super) fn name(self) -> &'static str {
        self.row().1
    }

    /// The fewest and the most arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        (self.row().2, self.row().3)
    }

    fn row(self) -> &'static (Self, &'static str, usize, usize) {
        FUNCTIONS.iter().find(|row| row.0 == self).expect("every function has a row")
    }

    /// Its value. As many arguments as [`Function::arity`] says; `and` and `or` are evaluated elsewhere, since they do not
    /// look at all of them.
    pub(super) fn call<'d>(self, arguments: &[Value<'d>]) -> Result<Value<'d>, Failed> {
        let of = self.name();
        let text = |text: String| bounded(text).map(|text| Value::Text(text.into()));
        Ok(match self {
            Self::And | Self::Or => arguments.last().cloned().unwrap_or(Value::Missing),
            Self::Not => Value::Bool(!arguments[0].is_true()),
            Self::Eq => Value::Bool(any_equal(&arguments[0], &arguments[1..], of)?),
            Self::Ne => Value::Bool(!any_equal(&arguments[0], &arguments[1..], of)?),
            Self::Lt => Value::Bool(order(arguments, of)?.is_lt()),
            Self::Le => Value::Bool(order(arguments, of)?.is_le()),
            Self::Gt => Value::Bool(order(arguments, of)?.is_gt()),
            Self::Ge => Value::Bool(order(arguments, of)?.is_ge()),
            Self::Index => index(&arguments[0], &arguments[1])?,
            Self::Slice => slice(arguments)?,
            Self::Len => Value::Int(length(&arguments[0])?),
            Self::Print => text(format::print(arguments)?)?,
            Self::Println => text(spaced(arguments)? + "\n")?,
            Self::Printf => text(format::printf(arguments[0].text(of)?, &arguments[1..])?)?,
            Self::ParseInt => {
                let (base, bits) = (arguments[1].int(of)?, arguments[2].int(of)?);
                Value::Int(parse_int(arguments[0].text(of)?, base, bits)?)
            }
        })
    }
}

/// Whether one of the others equals the first.
fn any_equal(first: &Value<'_>, others: &[Value<'_>], of: &'static str) -> Result<bool, Failed> {
    for other in others {
        let is_equal = match (first, other) {
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Int(one), Value::Int(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Missing, Value::Missing) => true,
            (Value::Missing, _) | (_, Value::Missing) => false,
            _ => return Err(Failed::Kind { of, wanted: "values of one kind: texts, numbers, or true and false" }),
        };
        if is_equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn order(arguments: &[Value<'_>], of: &'static str) -> Result<Ordering, Failed> {
    match arguments {
        [Value::Int(one), Value::Int(other)] => Ok(one.cmp(other)),
        [Value::Text(one), Value::Text(other)] => Ok(one.cmp(other)),
        [Value::Missing, _] | [_, Value::Missing] => Err(Failed::Missing { of }),
        _ => Err(Failed::Kind { of, wanted: "two numbers or two texts" }),
    }
}

fn index<'d>(of_what: &Value<'d>, at: &Value<'_>) -> Result<Value<'d>, Failed> {
    let of = "index";
    match of_what {
        Value::List(items) => {
            let index = at.int(of)?;
            let item = usize::try_from(index).ok().and_then(|index| items.get(index));
            item.map(|item| Value::Text(item.as_str().into())).ok_or(Failed::Range { of, index })
        }
        Value::Map(map) => Ok(Value::Text(map.get(at.text(of)?).map_or("", String::as_str).into())),
        Value::Text(text) => {
            let index = at.int(of)?;
            let octet = usize::try_from(index).ok().and_then(|index| text.as_bytes().get(index));
            octet.map(|octet| Value::Int((*octet).into())).ok_or(Failed::Range { of, index })
        }
        Value::Missing => Err(Failed::Missing { of }),
        _ => Err(Failed::Kind { of, wanted: "a list, a map or a text, and what to look for" }),
    }
}

fn slice<'d>(arguments: &[Value<'d>]) -> Result<Value<'d>, Failed> {
    let of = "slice";
    let length = match &arguments[0] {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Missing => return Err(Failed::Missing { of }),
        _ => return Err(Failed::Kind { of, wanted: "a text or a list, and from where to where" }),
    };
    let bound = |at: usize, otherwise: usize| match arguments.get(at) {
        None => Ok(otherwise),
        Some(value) => {
            let index = value.int(of)?;
            usize::try_from(index).ok().filter(|index| *index <= length).ok_or(Failed::Range { of, index })
        }
    };
    let (from, to) = (bound(1, 0)?, bound(2, length)?);
    let out_of_range = || Failed::Range { of, index: from as i128 };
    match &arguments[0] {
        Value::List(items) => items.get(from..to).map(Value::List).ok_or_else(out_of_range),
        text => {
            let part = text.text(of)?.get(from..to).ok_or_else(out_of_range)?;
            Ok(Value::Text(part.to_owned().into()))
        }
    }
}

fn length(of_what: &Value<'_>) -> Result<i128, Failed> {
    let length = match of_what {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        Value::Missing => return Err(Failed::Missing { of: "len" }),
        Value::Bool(_) | Value::Int(_) => return Err(Failed::Kind { of: "len", wanted: "a text, a list or a map" }),
    };
    Ok(length as i128)
}

/// A number without sign of this base, which fits into so many bits. Base 0: as it is written; 0 bits: 64.
fn parse_int(text: &str, base: i128, bits: i128) -> Result<i128, Failed> {
    let wrong = || Failed::Number { text: text.chars().take(64).collect() };
    let value = match base {
        0 => super::literal::whole(text).ok_or_else(wrong)?,
        2..=36 if text.chars().all(|c| c.is_ascii_alphanumeric()) => {
            i128::from_str_radix(text, base as u32).map_err(|_| wrong())?
        }
        _ => return Err(wrong()),
    };
    let bits = match bits {
        0 => 64,
        1..=64 => bits as u32,
        _ => return Err(wrong()),
    };
    if value >> bits == 0 { Ok(value) } else { Err(wrong()) }
}
