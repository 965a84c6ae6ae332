//! An expression as it was read: every part has its place, none is too deep inside others, and there are not too many.

use contract::limits::{EXPRESSION_DEPTH_MAX, EXPRESSION_PARTS_MAX};

use crate::Wrong;

/// A part of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Where it begins, or where its operator stands.
    pub(crate) at: usize,
    /// How many parts are inside each other.
    depth: usize,
    /// How many parts it has, itself among them.
    parts: usize,
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

/// Makes the parts of one expression and counts them, copies too: an operand that is asked twice doubles all that is in it.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    made: usize,
}

impl Parts {
    /// A part of which these are the parts. Too many steps inside each other are an error.
    pub(crate) fn part(&mut self, at: usize, node: Node) -> Result<Expr, Wrong> {
        self.count(1, at)?;
        let (below, parts) = match &node {
            Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Text(_) => (0, 0),
            Node::Not(inner) | Node::Signed(_, inner) => (inner.depth, inner.parts),
            Node::Binary(_, left, right) => together([&**left, right]),
            Node::Choice(condition, then, otherwise) => together([&**condition, then, otherwise]),
            Node::List(parts) | Node::All(parts) | Node::Any(parts) | Node::Call(_, parts) => together(parts),
        };
        if below >= EXPRESSION_DEPTH_MAX {
            return Err(too_deep(at));
        }
        Ok(Expr { at, depth: below + 1, parts: parts + 1, node })
    }

    /// The same once more, for what stands at `at`.
    pub(crate) fn copy(&mut self, expr: &Expr, at: usize) -> Result<Expr, Wrong> {
        self.count(expr.parts, at)?;
        Ok(expr.clone())
    }

    /// Counts before anything is made.
    fn count(&mut self, more: usize, at: usize) -> Result<(), Wrong> {
        self.made += more;
        if self.made <= EXPRESSION_PARTS_MAX {
            return Ok(());
        }
        let message = format!("more than {EXPRESSION_PARTS_MAX} parts, those that are asked twice counted twice");
        Err(Wrong::new(at, message, "a simpler expression"))
    }
}

/// The greatest depth among them, and how many parts they have together.
fn together<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> (usize, usize) {
    parts.into_iter().fold((0, 0), |(depth, count), part| (depth.max(part.depth), count + part.parts))
}

pub(crate) fn too_deep(at: usize) -> Wrong {
    Wrong::new(at, format!("more than {EXPRESSION_DEPTH_MAX} inside each other"), "a simpler expression")
}
