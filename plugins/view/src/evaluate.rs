//! Whether a checked expression is true of a question. The usual ones (a prefix, a type, a name) allocate nothing.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use contract::About;
use contract::limits::TEMPLATE_TEXT_MAX;

use crate::code::{Address, Cidr, Code, Order};
use crate::facts::Facts;

/// What code is worth for a question.
#[derive(Clone, Debug)]
pub(crate) enum Value<'v> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, str>),
}

impl<'v> Value<'v> {
    pub(crate) fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// The question has no value for the expression: an address that is none, a division by zero. The view is not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoValue;

impl Code {
    /// Whether it is true; what has no value is not.
    pub(crate) fn is_true(&self, facts: &Facts<'_>) -> bool {
        self.truth(facts) == Ok(true)
    }

    fn truth(&self, facts: &Facts<'_>) -> Result<bool, NoValue> {
        match self {
            Self::Bool(value) => Ok(*value),
            Self::Not(inner) => inner.truth(facts).map(|value| !value),
            Self::All(parts) => {
                for part in parts {
                    if !part.truth(facts)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.truth(facts)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::TypeIs(types) => Ok(types.contains(&facts.looked.rtype)),
            Self::InCidr(address, cidr) => Ok(cidr.contains(address.of(facts)?)),
            Self::InAnyCidr(sides) => {
                let address = parsed(&sides[0].said(facts)?)?;
                Ok(Cidr::parse(&sides[1].said(facts)?).ok_or(NoValue)?.contains(address))
            }
            Self::Equal(sides) => Ok(equal(&sides[0].value(facts)?, &sides[1].value(facts)?)),
            Self::Order(order, sides) => {
                let order_is = compare(&sides[0].value(facts)?, &sides[1].value(facts)?);
                Ok(order_is.is_some_and(|is| match order {
                    Order::Less => is.is_lt(),
                    Order::LessOrEqual => is.is_le(),
                    Order::Greater => is.is_gt(),
                    Order::GreaterOrEqual => is.is_ge(),
                }))
            }
            Self::Among(item, items) => {
                let item = item.value(facts)?;
                let mut found = false;
                for other in items {
                    found |= equal(&item, &other.value(facts)?);
                }
                Ok(found)
            }
            Self::Between(parts) => {
                let item = parts[0].value(facts)?;
                let is_whole = !matches!(item, Value::Float(value) if value.fract() != 0.0);
                let (from, to) = (compare(&parts[1].value(facts)?, &item), compare(&item, &parts[2].value(facts)?));
                Ok(is_whole && from.is_some_and(Ordering::is_le) && to.is_some_and(Ordering::is_le))
            }
            Self::Matches(text, pattern) => Ok(pattern.is_match(&text.said(facts)?)),
            Self::Contains(sides) => Ok(sides[0].said(facts)?.contains(&*sides[1].said(facts)?)),
            Self::StartsWith(sides) => Ok(sides[0].said(facts)?.starts_with(&*sides[1].said(facts)?)),
            Self::EndsWith(sides) => Ok(sides[0].said(facts)?.ends_with(&*sides[1].said(facts)?)),
            Self::Choice(parts) => parts[if parts[0].truth(facts)? { 1 } else { 2 }].truth(facts),
            other => match other.value(facts)? {
                Value::Bool(value) => Ok(value),
                Value::Int(_) | Value::Float(_) | Value::Text(_) => Err(NoValue),
            },
        }
    }

    fn said<'v>(&'v self, facts: &'v Facts<'_>) -> Result<Cow<'v, str>, NoValue> {
        match self.value(facts)? {
            Value::Text(text) => Ok(text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => Err(NoValue),
        }
    }

    fn value<'v>(&'v self, facts: &'v Facts<'_>) -> Result<Value<'v>, NoValue> {
        let owned = |text: String| Ok(Value::Text(Cow::Owned(text)));
        match self {
            Self::Int(value) => Ok(Value::Int(*value)),
            Self::Float(value) => Ok(Value::Float(*value)),
            Self::Text(text) => Ok(Value::text(text)),
            Self::Fact(fact) => Ok(facts.value(*fact)),
            Self::Choice(parts) => parts[if parts[0].truth(facts)? { 1 } else { 2 }].value(facts),
            Self::Sum(sides) => number(sides, facts, i64::wrapping_add, |one, other| one + other),
            Self::Difference(sides) => number(sides, facts, i64::wrapping_sub, |one, other| one - other),
            Self::Product(sides) => number(sides, facts, i64::wrapping_mul, |one, other| one * other),
            Self::Quotient(sides) => {
                let (one, other) = (sides[0].value(facts)?.as_float()?, sides[1].value(facts)?.as_float()?);
                Ok(Value::Float(one / other))
            }
            Self::Rest(sides) => match (sides[0].value(facts)?, sides[1].value(facts)?) {
                (Value::Int(one), Value::Int(other)) if other != 0 => Ok(Value::Int(one.wrapping_rem(other))),
                _ => Err(NoValue),
            },
            Self::Negative(inner) => match inner.value(facts)? {
                Value::Int(value) => Ok(Value::Int(value.wrapping_neg())),
                Value::Float(value) => Ok(Value::Float(-value)),
                Value::Bool(_) | Value::Text(_) => Err(NoValue),
            },
            Self::Joined(sides) => {
                let joined = sides[0].said(facts)?.into_owned() + &sides[1].said(facts)?;
                if joined.len() > TEMPLATE_TEXT_MAX { Err(NoValue) } else { owned(joined) }
            }
            Self::Metadata(label) => {
                let about = About { client: facts.looked.client, name: facts.looked.name, upstream: None };
                owned(facts.labels.label(&label.said(facts)?, &about).unwrap_or_default())
            }
            Self::Lower(text) => owned(text.said(facts)?.to_lowercase()),
            Self::Upper(text) => owned(text.said(facts)?.to_uppercase()),
            Self::Len(text) => Ok(Value::Int(i64::try_from(text.said(facts)?.chars().count()).unwrap_or(i64::MAX))),
            Self::ToInt(inner) => match inner.value(facts)? {
                Value::Int(value) => Ok(Value::Int(value)),
                Value::Float(value) => Ok(Value::Int(value as i64)),
                Value::Text(text) => text.parse().map(Value::Int).map_err(|_| NoValue),
                Value::Bool(_) => Err(NoValue),
            },
            Self::ToText(inner) => match inner.value(facts)? {
                Value::Text(text) => Ok(Value::Text(text)),
                Value::Int(value) => owned(value.to_string()),
                Value::Float(value) => owned(value.to_string()),
                Value::Bool(value) => Ok(Value::text(if value { "true" } else { "false" })),
            },
            truth => truth.truth(facts).map(Value::Bool),
        }
    }
}

impl Address {
    fn of(&self, facts: &Facts<'_>) -> Result<IpAddr, NoValue> {
        match self {
            Self::Client => Ok(facts.looked.client.ip()),
            Self::Server => Ok(facts.looked.client.local.ip()),
            Self::Written(code) => parsed(&code.said(facts)?),
        }
    }
}

fn parsed(text: &str) -> Result<IpAddr, NoValue> {
    text.parse().map_err(|_| NoValue)
}

impl Value<'_> {
    fn as_float(&self) -> Result<f64, NoValue> {
        match self {
            Self::Int(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            Self::Bool(_) | Self::Text(_) => Err(NoValue),
        }
    }
}

fn number<'v>(
    sides: &'v [Code; 2],
    facts: &'v Facts<'_>,
    whole: fn(i64, i64) -> i64,
    float: fn(f64, f64) -> f64,
) -> Result<Value<'v>, NoValue> {
    match (sides[0].value(facts)?, sides[1].value(facts)?) {
        (Value::Int(one), Value::Int(other)) => Ok(Value::Int(whole(one, other))),
        (one, other) => Ok(Value::Float(float(one.as_float()?, other.as_float()?))),
    }
}

fn equal(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (one, other) => compare(one, other) == Some(Ordering::Equal),
    }
}

fn compare(one: &Value<'_>, other: &Value<'_>) -> Option<Ordering> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (one, other) => one.as_float().ok()?.partial_cmp(&other.as_float().ok()?),
    }
}
