//! From a tree to code: types are checked, and what cannot be true or false is no expression of a view.

use contract::Pattern;

use crate::Wrong;
use crate::code::{Address, Code, Fact, Order};
use crate::constants;
use crate::functions::{Function, Type};
use crate::tree::{Expr, Node};

/// Code of which the type is known.
type Typed = (Code, Type);

impl Code {
    /// The code of an expression, which is true or false.
    pub(crate) fn compile(text: &str) -> Result<Self, Wrong> {
        let expr = Expr::parse(text)?;
        match typed(&expr)? {
            (code, Type::Bool) => Ok(code),
            (_, other) => Err(Wrong::new(
                expr.at,
                format!("the expression is {}, and a view needs true or false", other.name()),
                "a comparison such as `type() == 'A'`",
            )),
        }
    }
}

fn typed(expr: &Expr) -> Result<Typed, Wrong> {
    Ok(match &expr.node {
        Node::Bool(value) => (Code::Bool(*value), Type::Bool),
        Node::Int(value) => (Code::Int(*value), Type::Int),
        Node::Float(value) => (Code::Float(*value), Type::Float),
        Node::Text(value) => (Code::Text(value.clone()), Type::Text),
        Node::List(_) => {
            return Err(Wrong::new(expr.at, "a list stands where no list can", "a list behind `in` or `not in`"));
        }
        Node::Not(inner) => (Code::Not(Box::new(of_type(inner, Type::Bool)?)), Type::Bool),
        Node::Signed(sign, inner) => match typed(inner)? {
            (code, kind) if kind.is_number() && *sign == "+" => (code, kind),
            (code, kind) if kind.is_number() => (Code::Negative(Box::new(code)), kind),
            (_, kind) => return Err(mismatch(inner.at, kind, "a number")),
        },
        Node::All(parts) => (Code::All(all_of_type(parts, Type::Bool)?), Type::Bool),
        Node::Any(parts) => (Code::Any(all_of_type(parts, Type::Bool)?), Type::Bool),
        Node::Binary(sign, left, right) => binary(sign, left, right, expr.at)?,
        Node::Choice(condition, then, otherwise) => {
            let condition = of_type(condition, Type::Bool)?;
            let (then, kind) = typed(then)?;
            (Code::Choice(Box::new([condition, then, of_type(otherwise, kind)?])), kind)
        }
        Node::Call(name, arguments) => call(name, arguments, expr.at)?,
    })
}

fn of_type(expr: &Expr, wanted: Type) -> Result<Code, Wrong> {
    match typed(expr)? {
        (code, kind) if kind == wanted => Ok(code),
        (_, kind) => Err(mismatch(expr.at, kind, wanted.name())),
    }
}

fn all_of_type(parts: &[Expr], wanted: Type) -> Result<Vec<Code>, Wrong> {
    parts.iter().map(|part| of_type(part, wanted)).collect()
}

fn mismatch(at: usize, kind: Type, wanted: &str) -> Wrong {
    Wrong::new(at, format!("this is {}", kind.name()), wanted)
}

/// What an operator makes of its two sides. It stands at `at`.
fn binary(sign: &'static str, left: &Expr, right: &Expr, at: usize) -> Result<Typed, Wrong> {
    let texts =
        || -> Result<Box<[Code; 2]>, Wrong> { Ok(Box::new([of_type(left, Type::Text)?, of_type(right, Type::Text)?])) };
    let code = match sign {
        "==" | "!=" => {
            let (one, other, _) = alike(left, right, at)?;
            let equal = constants::equal(one, other);
            if sign == "!=" { Code::Not(Box::new(equal)) } else { equal }
        }
        "<" | "<=" | ">" | ">=" => {
            let (one, other, kind) = alike(left, right, at)?;
            if kind == Type::Bool {
                return Err(mismatch(left.at, kind, "a number or a text"));
            }
            let order = match sign {
                "<" => Order::Less,
                "<=" => Order::LessOrEqual,
                ">" => Order::Greater,
                _ => Order::GreaterOrEqual,
            };
            Code::Order(order, Box::new([one, other]))
        }
        "in" => among(left, right)?,
        "matches" => matches(left, right)?,
        "contains" => Code::Contains(texts()?),
        "startsWith" => Code::StartsWith(texts()?),
        "endsWith" => Code::EndsWith(texts()?),
        "??" => {
            let (one, kind) = typed(left)?;
            of_type(right, kind)?; // nothing here is ever nil, so the right side is never asked for
            return Ok((one, kind));
        }
        ".." => return Err(Wrong::new(at, "a range stands where no range can", "a range behind `in` or `not in`")),
        _ => return arithmetic(sign, left, right, at),
    };
    Ok((code, Type::Bool))
}

/// Both sides, which can be compared, and the type of the left one.
fn alike(left: &Expr, right: &Expr, at: usize) -> Result<(Code, Code, Type), Wrong> {
    let ((one, kind), (other, other_kind)) = (typed(left)?, typed(right)?);
    if kind == other_kind || kind.is_number() && other_kind.is_number() {
        return Ok((one, other, kind));
    }
    let message = format!("{} is compared with {}", kind.name(), other_kind.name());
    Err(Wrong::new(at, message, "two values of one type"))
}

fn arithmetic(sign: &'static str, left: &Expr, right: &Expr, at: usize) -> Result<Typed, Wrong> {
    let ((one, kind), (other, other_kind)) = (typed(left)?, typed(right)?);
    let is_float = kind == Type::Float || other_kind == Type::Float;
    let sides = Box::new([one, other]);
    let number = if is_float { Type::Float } else { Type::Int };
    match sign {
        "+" if (kind, other_kind) == (Type::Text, Type::Text) => return Ok((Code::Joined(sides), Type::Text)),
        _ if !kind.is_number() || !other_kind.is_number() => {
            let message = format!("`{sign}` between {} and {}", kind.name(), other_kind.name());
            return Err(Wrong::new(at, message, if sign == "+" { "two numbers or two texts" } else { "two numbers" }));
        }
        "%" if is_float => return Err(Wrong::new(at, "`%` between numbers that are not whole", "whole numbers")),
        _ => {}
    }
    Ok(match sign {
        "+" => (Code::Sum(sides), number),
        "-" => (Code::Difference(sides), number),
        "*" => (Code::Product(sides), number),
        "/" => (Code::Quotient(sides), Type::Float),
        "%" => (Code::Rest(sides), Type::Int),
        _ => return Err(Wrong::new(at, format!("`{sign}` is not known here"), "`+`, `-`, `*`, `/` or `%`")),
    })
}

/// `in` a list or a range.
fn among(left: &Expr, right: &Expr) -> Result<Code, Wrong> {
    let (item, kind) = typed(left)?;
    match &right.node {
        Node::List(items) => {
            let typed_items = items.iter().map(typed).collect::<Result<Vec<Typed>, _>>()?;
            let comparable = |other: Type| other == kind || other.is_number() && kind.is_number();
            let fitting = typed_items.iter().position(|(_, other)| comparable(*other));
            if let (None, [first, ..]) = (fitting, items.as_slice()) {
                let message = format!("{} is looked for in a list that has none", kind.name());
                return Err(Wrong::new(first.at, message, kind.name()));
            }
            // a value of another type is never equal
            let items = typed_items.into_iter().filter(|(_, other)| comparable(*other)).map(|(code, _)| code);
            Ok(constants::among(item, items.collect()))
        }
        Node::Binary("..", from, to) => {
            if !kind.is_number() {
                return Err(mismatch(left.at, kind, "a number, since a range has numbers"));
            }
            Ok(Code::Between(Box::new([item, of_type(from, Type::Int)?, of_type(to, Type::Int)?])))
        }
        _ => Err(Wrong::new(right.at, "`in` is for lists and ranges", "a list such as ['A', 'AAAA'], or 1..3")),
    }
}

fn matches(left: &Expr, right: &Expr) -> Result<Code, Wrong> {
    let text = of_type(left, Type::Text)?;
    let Node::Text(pattern) = &right.node else {
        let expected = r"a text such as '^www\\.example\\.com\\.$'";
        return Err(Wrong::new(right.at, "a regular expression that is not written out", expected));
    };
    let pattern = Pattern::parse(pattern).map_err(|reason| {
        Wrong::new(right.at, format!("`{pattern}` is no regular expression: {reason}"), "a regular expression")
    })?;
    Ok(Code::Matches(Box::new(text), pattern))
}

fn call(name: &str, arguments: &[Expr], at: usize) -> Result<Typed, Wrong> {
    let (function, takes, gives) = Function::named(name, at)?;
    if takes.len() != arguments.len() {
        let message = format!("`{name}` is given {} arguments", arguments.len());
        return Err(Wrong::new(at, message, takes.len().to_string()));
    }
    let mut codes = Vec::with_capacity(arguments.len());
    for (argument, wanted) in arguments.iter().zip(takes) {
        codes.push(match wanted {
            Some(wanted) => of_type(argument, *wanted)?,
            None => match typed(argument)? {
                (_, Type::Bool) if function == Function::Int => {
                    return Err(mismatch(argument.at, Type::Bool, "a number or a text"));
                }
                (code, _) => code,
            },
        });
    }
    let mut codes = codes.into_iter();
    let mut next = || Box::new(codes.next().expect("as many arguments as it takes"));
    let code = match function {
        Function::Fact(fact) => Code::Fact(fact),
        Function::InCidr => in_cidr(*next(), *next(), arguments)?,
        Function::Metadata => Code::Metadata(next()),
        Function::Lower => Code::Lower(next()),
        Function::Upper => Code::Upper(next()),
        Function::Len => Code::Len(next()),
        Function::HasPrefix => Code::StartsWith(Box::new([*next(), *next()])),
        Function::HasSuffix => Code::EndsWith(Box::new([*next(), *next()])),
        Function::Int => Code::ToInt(next()),
        Function::String => Code::ToText(next()),
    };
    Ok((code, gives))
}

/// The address comes first, the prefix second.
fn in_cidr(address: Code, prefix: Code, arguments: &[Expr]) -> Result<Code, Wrong> {
    let address = match address {
        Code::Text(text) if text.parse::<std::net::IpAddr>().is_err() => {
            let expected = "an address such as `client_ip()`, and behind it a prefix";
            return Err(Wrong::new(arguments[0].at, format!("`{text}` is no address"), expected));
        }
        other => other,
    };
    let Code::Text(prefix) = prefix else { return Ok(Code::InAnyCidr(Box::new([address, prefix]))) };
    let cidr = crate::code::Cidr::parse(&prefix).ok_or_else(|| {
        Wrong::new(arguments[1].at, format!("`{prefix}` is no prefix"), "one such as '10.0.0.0/8' or '2001:db8::/32'")
    })?;
    let address = match address {
        Code::Fact(Fact::ClientIp) => Address::Client,
        Code::Fact(Fact::ServerIp) => Address::Server,
        other => Address::Written(Box::new(other)),
    };
    Ok(Code::InCidr(address, cidr))
}
