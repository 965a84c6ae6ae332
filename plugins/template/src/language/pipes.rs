//! Reads pipes, commands and operands of a template.

use super::Wrong;
use super::ast::{Command, Field, Operand, Pipe};
use super::fields::{self, META};
use super::format;
use super::functions::Function;
use super::lexer::{Kind, Token};
use super::parser::{Parser, Tokens, unknown_word};

/// An operand, or what only a command begins with.
enum Head {
    Operand(Operand),
    Meta,
    Function(Function),
}

impl Parser<'_> {
    /// A pipe, up to `)` or the end of the action.
    pub(super) fn pipe(&mut self, tokens: &mut Tokens<'_>) -> Result<Pipe, Wrong> {
        let target = self.target(tokens)?;
        let mut commands = Vec::new();
        loop {
            commands.push(self.command(tokens, !commands.is_empty())?);
            match tokens.peek() {
                Some(Token { kind: Kind::Bar, .. }) => tokens.take(),
                _ => break,
            };
        }
        if let Some(target) = &target {
            self.declare(target);
        }
        Ok(Pipe { target, commands })
    }

    fn command(&mut self, tokens: &mut Tokens<'_>, is_piped: bool) -> Result<Command, Wrong> {
        let at = tokens.at();
        let head = self.head(tokens)?;
        let mut arguments: Vec<(usize, Operand)> = Vec::new();
        while let Some(token) = tokens.peek()
            && !matches!(token.kind, Kind::Bar | Kind::Close)
        {
            if !token.apart {
                return Err(Wrong::new(token.at, "two values without a blank between them", "a blank"));
            }
            let at = token.at;
            match self.head(tokens)? {
                Head::Operand(operand) => arguments.push((at, operand)),
                Head::Meta | Head::Function(_) => {
                    return Err(Wrong::new(at, "a function as an argument", "it in parentheses, with its arguments"));
                }
            }
        }
        let count = arguments.len() + usize::from(is_piped);
        match head {
            Head::Operand(operand) if count == 0 => Ok(Command::Value(operand)),
            Head::Operand(_) if is_piped => {
                Err(Wrong::new(at, "a value cannot take what the pipe gives", crate::listed(Function::names())))
            }
            Head::Operand(_) => Err(Wrong::new(arguments[0].0, "a value takes no arguments", "`|` or `}}`")),
            Head::Meta if count == 1 => {
                self.is_personal = true;
                Ok(Command::Meta(arguments.pop().map(|(_, label)| label)))
            }
            Head::Meta => {
                Err(Wrong::new(at, "`.Meta` without one label", "a label such as `\"kubernetes/client-namespace\"`"))
            }
            Head::Function(function) => self.call(function, at, arguments, is_piped),
        }
    }

    /// A call whose arguments are as many as the function takes and, as far as they are written out, such that it can do
    /// something with them.
    fn call(
        &self,
        function: Function,
        at: usize,
        arguments: Vec<(usize, Operand)>,
        is_piped: bool,
    ) -> Result<Command, Wrong> {
        let (fewest, most) = function.arity();
        let count = arguments.len() + usize::from(is_piped);
        if count < fewest || count > most {
            let expected = match most {
                usize::MAX => format!("{fewest} or more"),
                most if most == fewest => most.to_string(),
                most => format!("{fewest} to {most}"),
            };
            let message = format!("`{}` is given {count} arguments", function.name());
            return Err(Wrong::new(at, message, expected));
        }
        match (function, arguments.as_slice()) {
            (Function::Index, [(_, Operand::Field(Field::Match)), (at, Operand::Number { value, .. })]) => {
                let most = self.groups.most;
                if usize::try_from(*value).map_or(true, |index| index >= most) {
                    let message = format!("no regular expression here has a group {value}");
                    return Err(Wrong::new(*at, message, format!("0 to {}", most.saturating_sub(1))));
                }
            }
            (Function::Printf, [(at, Operand::Text { value, written }), values @ ..]) => {
                let verbs = format::check(value).map_err(|(offset, message)| {
                    let at = if written.len() == value.len() + 2 { at + 1 + offset } else { *at };
                    Wrong::new(at, message, "%d, %s, %v, %q, %x, %X, %o, %b, %c, %t or %%")
                })?;
                let values = values.len() + usize::from(is_piped);
                if verbs != values {
                    let message = format!("a format for {verbs} values is given {values}");
                    return Err(Wrong::new(*at, message, "a value for each verb"));
                }
            }
            _ => {}
        }
        Ok(Command::Call(function, arguments.into_iter().map(|(_, operand)| operand).collect()))
    }

    fn head(&mut self, tokens: &mut Tokens<'_>) -> Result<Head, Wrong> {
        let at = tokens.at();
        let missing =
            || Wrong::new(at, "a value is missing", "a field such as `.Name`, a function, a text or a number");
        let token = tokens.take().ok_or_else(missing)?;
        let operand = match &token.kind {
            Kind::Text { value, written } => Operand::Text { value: value.clone(), written: written.clone() },
            Kind::Number { value, written } => Operand::Number { value: *value, written: written.clone() },
            Kind::Word(word) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                word => return Function::named(word).map(Head::Function).ok_or_else(|| unknown_word(word, at)),
            },
            Kind::Field(name) if self.is_root => return self.field(name, at, tokens),
            Kind::Field(name) => Operand::Key { of: Box::new(Operand::Dot), key: name.clone() },
            Kind::Variable(name) if name == "$" => match tokens.peek() {
                Some(Token { kind: Kind::Field(name), apart: false, at }) => {
                    tokens.take();
                    return self.field(name, *at, tokens);
                }
                _ => return Err(Wrong::new(at, "`$` as a whole is not known here", "a field of it such as `$.Name`")),
            },
            Kind::Variable(name) => Operand::Variable { name: name.clone(), slot: self.slot(name, at)? },
            Kind::Dot if self.is_root => {
                return Err(Wrong::new(at, "`.` as a whole is not known here", "a field of it such as `.Name`"));
            }
            Kind::Dot => Operand::Dot,
            Kind::Open => {
                self.deeper(at)?;
                let pipe = self.pipe(tokens)?;
                self.shallower();
                let closed = matches!(tokens.take(), Some(Token { kind: Kind::Close, .. }));
                if !closed {
                    return Err(Wrong::new(at, "a `(` that is never closed", "`)`"));
                }
                Operand::Pipe(Box::new(pipe))
            }
            Kind::Bar | Kind::Close | Kind::Declare | Kind::Assign => return Err(missing()),
        };
        self.keys(operand, tokens).map(Head::Operand)
    }

    /// A field of what is known of the question.
    fn field(&mut self, first: &str, at: usize, tokens: &mut Tokens<'_>) -> Result<Head, Wrong> {
        if first == META {
            return Ok(Head::Meta);
        }
        let second = match tokens.peek() {
            Some(Token { kind: Kind::Field(second), apart: false, .. }) => Some(second.as_str()),
            _ => None,
        };
        let (field, words) = fields::named(first, second, at)?;
        if words == 2 {
            tokens.take();
        }
        self.is_personal |= fields::is_personal(field);
        self.keys(Operand::Field(field), tokens).map(Head::Operand)
    }

    /// The keys that stand directly behind an operand.
    fn keys(&mut self, mut operand: Operand, tokens: &mut Tokens<'_>) -> Result<Operand, Wrong> {
        while let Some(Token { kind: Kind::Field(key), apart: false, at }) = tokens.peek() {
            let is_known = self.groups.names.contains(key);
            match &operand {
                Operand::Field(Field::Group) if !is_known => {
                    let message = format!("no regular expression here has a group `{key}`");
                    return Err(Wrong::new(*at, message, crate::listed(self.groups.names.iter().map(String::as_str))));
                }
                Operand::Field(Field::Group) | Operand::Variable { .. } | Operand::Pipe(_) => {}
                _ => return Err(Wrong::new(*at, format!("`.{key}` of what has no fields"), "a blank or `}}`")),
            }
            tokens.take();
            operand = Operand::Key { of: Box::new(operand), key: key.clone() };
        }
        Ok(operand)
    }
}
