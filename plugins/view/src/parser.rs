//! Reads an expression into a tree whose every part has its place. Operators bind as in expr-lang.

use contract::limits::EXPRESSION_DEPTH_MAX;

use crate::Wrong;
use crate::lexer::{Kind, Token, tokens};
use crate::tree::{Expr, Node, Parts, too_deep};

/// The operators between two operands, and how strongly they bind.
const BINARY: [(&str, u16); 21] = [
    ("|", 0),
    ("or", 10),
    ("||", 10),
    ("and", 15),
    ("&&", 15),
    ("==", 20),
    ("!=", 20),
    ("<", 20),
    (">", 20),
    (">=", 20),
    ("<=", 20),
    ("in", 20),
    ("matches", 20),
    ("contains", 20),
    ("startsWith", 20),
    ("endsWith", 20),
    ("..", 25),
    ("+", 30),
    ("-", 30),
    ("*", 60),
    ("/", 60),
];
const MODULO: (&str, u16) = ("%", 60);
const COALESCE: (&str, u16) = ("??", 500);

/// Those before which `not` may stand.
const DENIABLE: [&str; 5] = ["in", "matches", "contains", "startsWith", "endsWith"];
const COMPARISONS: [&str; 4] = ["<", ">", "<=", ">="];

/// How strongly `not` and a sign bind.
const NOT: u16 = 50;
const SIGN: u16 = 90;

impl Expr {
    /// Reads an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, parts: Parts::default() };
        let expr = parser.expression(0)?;
        match parser.peek().kind {
            Kind::End => Ok(expr),
            _ => Err(parser.unexpected("an operator, or the end")),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    parts: Parts,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let is_there = self.peek().kind == Kind::Sign(sign);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Wrong> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn unexpected(&self, expected: &str) -> Wrong {
        let Token { at, kind } = self.peek();
        let said = match kind {
            Kind::End => "the expression ends too early".to_owned(),
            Kind::Sign(sign) => format!("`{sign}` is not expected here"),
            Kind::Word(word) => format!("`{word}` is not expected here"),
            Kind::Text(_) | Kind::Int(_) | Kind::Float(_) => "a value is not expected here".to_owned(),
        };
        Wrong::new(*at, said, expected)
    }

    /// The operator that stands here, and how strongly it binds.
    fn operator(&self) -> Option<(&'static str, u16)> {
        let word = match &self.peek().kind {
            Kind::Sign(sign) => sign,
            Kind::Word(word) => word.as_str(),
            _ => return None,
        };
        BINARY.into_iter().chain([MODULO, COALESCE]).find(|(known, _)| *known == word)
    }

    fn expression(&mut self, least: u16) -> Result<Expr, Wrong> {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return Err(too_deep(self.peek().at));
        }
        let mut left = self.operand()?;
        let mut before = "";
        loop {
            let start = self.next;
            let denies = self.peek().kind == Kind::Word("not".to_owned());
            if denies {
                self.advance();
            }
            let at = self.peek().at;
            let found = self.operator().filter(|(sign, _)| !denies || DENIABLE.contains(sign));
            if denies && found.is_none() {
                return Err(self.unexpected("`in`, `matches`, `contains`, `startsWith` or `endsWith` behind `not`"));
            }
            let Some((sign, binds)) = found.filter(|(_, binds)| *binds >= least) else {
                self.next = start;
                break;
            };
            self.advance();
            if before == "??" && sign != "??" {
                return Err(Wrong::new(at, format!("`{sign}` beside `??`"), "one of the two in parentheses"));
            }
            left = self.joined(left, sign, binds, at)?;
            if denies {
                left = self.parts.part(at, Node::Not(Box::new(left)))?;
            }
            before = sign;
        }
        if least == 0 {
            left = self.choice(left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// What an operator makes of its left side and of what stands behind it.
    fn joined(&mut self, left: Expr, sign: &'static str, binds: u16, at: usize) -> Result<Expr, Wrong> {
        if sign == "|" {
            let Token { at, kind: Kind::Word(name) } = self.peek().clone() else {
                return Err(self.unexpected("a function"));
            };
            self.advance();
            return self.call(name, at, vec![left]);
        }
        if COMPARISONS.contains(&sign) {
            return self.comparison(left, sign, binds, at);
        }
        let right = self.expression(binds + 1)?;
        let node = match sign {
            "and" | "&&" => match left.node {
                Node::All(parts) => Node::All(with(parts, right)),
                _ => Node::All(vec![left, right]),
            },
            "or" | "||" => match left.node {
                Node::Any(parts) => Node::Any(with(parts, right)),
                _ => Node::Any(vec![left, right]),
            },
            _ => Node::Binary(sign, Box::new(left), Box::new(right)),
        };
        self.parts.part(at, node)
    }

    /// `1 < x <= 3` is `1 < x and x <= 3`.
    fn comparison(&mut self, left: Expr, sign: &'static str, binds: u16, at: usize) -> Result<Expr, Wrong> {
        let (mut left, mut sign, mut at) = (left, sign, at);
        let mut all = Vec::new();
        loop {
            let right = self.expression(binds + 1)?;
            let next = self.operator().filter(|(next, _)| COMPARISONS.contains(next));
            let Some((next, _)) = next else {
                all.push(self.parts.part(at, Node::Binary(sign, Box::new(left), Box::new(right)))?);
                break;
            };
            let next_at = self.peek().at;
            let again = self.parts.copy(&right, next_at)?;
            all.push(self.parts.part(at, Node::Binary(sign, Box::new(left), Box::new(right)))?);
            (left, sign, at) = (again, next, next_at);
            self.advance();
        }
        if all.len() == 1 { Ok(all.remove(0)) } else { self.parts.part(at, Node::All(all)) }
    }

    /// `condition ? then : otherwise`, if that stands behind the condition.
    fn choice(&mut self, mut condition: Expr) -> Result<Expr, Wrong> {
        loop {
            let at = self.peek().at;
            if !self.take("?") {
                return Ok(condition);
            }
            let then = match self.take(":") {
                true => self.parts.copy(&condition, at)?,
                false => {
                    let then = self.expression(0)?;
                    self.expect(":")?;
                    then
                }
            };
            let otherwise = self.expression(0)?;
            condition = self.parts.part(at, Node::Choice(Box::new(condition), Box::new(then), Box::new(otherwise)))?;
        }
    }

    fn operand(&mut self) -> Result<Expr, Wrong> {
        let start = self.next;
        let Token { at, kind } = self.peek().clone();
        self.advance();
        let mut leaf = |node| self.parts.part(at, node);
        match kind {
            Kind::Int(value) => leaf(Node::Int(value)),
            Kind::Float(value) => leaf(Node::Float(value)),
            Kind::Text(value) => leaf(Node::Text(value)),
            Kind::Sign("!") => self.denied(at),
            Kind::Sign(sign @ ("-" | "+")) => {
                let inner = self.expression(SIGN)?;
                self.parts.part(at, Node::Signed(sign, Box::new(inner)))
            }
            Kind::Sign("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Sign("[") => {
                let items = self.list("]")?;
                self.parts.part(at, Node::List(items))
            }
            Kind::Word(word) => match word.as_str() {
                "not" => self.denied(at),
                "true" => leaf(Node::Bool(true)),
                "false" => leaf(Node::Bool(false)),
                _ => self.call(word, at, Vec::new()),
            },
            Kind::Sign(_) | Kind::End => {
                self.next = start;
                Err(self.unexpected("a value, a function or `(`"))
            }
        }
    }

    fn denied(&mut self, at: usize) -> Result<Expr, Wrong> {
        let inner = self.expression(NOT)?;
        self.parts.part(at, Node::Not(Box::new(inner)))
    }

    /// The arguments in parentheses, behind those that a pipe gives.
    fn call(&mut self, name: String, at: usize, mut arguments: Vec<Expr>) -> Result<Expr, Wrong> {
        if !self.take("(") {
            return Err(crate::functions::no_call(&name, at));
        }
        arguments.extend(self.list(")")?);
        self.parts.part(at, Node::Call(name, arguments))
    }

    /// Expressions with commas between them, up to this sign. A last comma is allowed.
    fn list(&mut self, end: &'static str) -> Result<Vec<Expr>, Wrong> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.take(end) {
                    break;
                }
            }
            items.push(self.expression(0)?);
        }
        Ok(items)
    }
}

fn with(mut parts: Vec<Expr>, last: Expr) -> Vec<Expr> {
    parts.push(last);
    parts
}
