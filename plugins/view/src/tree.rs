//! An expression as it was read: every part has its place, and none is too deep inside others.

use contract::limits::EXPRESSION_DEPTH_MAX;

use crate::Wrong;

/// A part of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Where it begins, or where its operator stands.
    pub(crate) at: usize,
    /// How many parts are inside each other.
    depth: usize,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Expr>),
    Not(Box<Expr>),
    /// A sign before a number.
    Signed(&'static str, Box<Expr>),
    /// `and` of all.
    All(Vec<Expr>),
    /// `or` of all.
    Any(Vec<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// Condition, then, otherwise.
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
}

/// A part of which these are the parts. Too many steps inside each other are an error.
pub(crate) fn part(at: usize, node: Node) -> Result<Expr, Wrong> {
    let deepest = |parts: &[&Expr]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
    let below = match &node {
        Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Text(_) => 0,
        Node::Not(inner) | Node::Signed(_, inner) => inner.depth,
        Node::Binary(_, left, right) => deepest(&[left, right]),
        Node::Choice(condition, then, otherwise) => deepest(&[condition, then, otherwise]),
        Node::List(parts) | Node::All(parts) | Node::Any(parts) | Node::Call(_, parts) => {
            parts.iter().map(|part| part.depth).max().unwrap_or(0)
        }
    };
    if below >= EXPRESSION_DEPTH_MAX { Err(too_deep(at)) } else { Ok(Expr { at, depth: below + 1, node }) }
}

pub(crate) fn too_deep(at: usize) -> Wrong {
    Wrong::new(at, format!("more than {EXPRESSION_DEPTH_MAX} inside each other"), "a simpler expression")
}
