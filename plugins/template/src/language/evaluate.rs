//! Makes the text of a template for one question.

use std::collections::BTreeMap;

use contract::wire::{Class, Flags, RecordType};
use contract::{About, LabelBook, Query};

use super::Failed;
use super::ast::{Command, Field, Header, Node, Operand, Pipe, Program};
use super::functions::Function;
use super::value::{Value, bounded};
use crate::names;

/// What is known of a question that a template is for.
pub(crate) struct Data<'q> {
    pub(crate) zone: &'q str,
    pub(crate) name: &'q str,
    pub(crate) regex: &'q str,
    /// The whole match and its groups; groups without a part in it are empty.
    pub(crate) matches: Vec<String>,
    /// The same by number and by name.
    pub(crate) groups: BTreeMap<String, String>,
    /// The question's, or the template's if the question is about any.
    pub(crate) class: Class,
    pub(crate) rtype: RecordType,
    pub(crate) query: &'q Query,
    pub(crate) labels: &'q LabelBook,
}

impl Data<'_> {
    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Zone => Value::Text(self.zone.into()),
            Field::Name | Field::QuestionName => Value::Text(self.name.into()),
            Field::Regex => Value::Text(self.regex.into()),
            Field::Match => Value::List(&self.matches),
            Field::Group => Value::Map(&self.groups),
            Field::Class => Value::Text(names::class_name(self.class).into()),
            Field::Type => Value::Text(names::type_name(self.rtype).into()),
            Field::Remote => Value::Text(self.query.client.ip().to_string().into()),
            Field::QuestionType => Value::Int(self.query.rtype.0.into()),
            Field::QuestionClass => Value::Int(self.query.class.0.into()),
            Field::Message(header) => self.header(header),
        }
    }

    fn header(&self, header: Header) -> Value<'static> {
        let (id, flags) = self.query.header;
        match header {
            Header::Id => Value::Int(id.into()),
            Header::Opcode => Value::Int(((flags & Flags::OPCODE) >> 11).into()),
            Header::Rcode => Value::Int((flags & Flags::RCODE).into()),
            Header::Flag(flag) => Value::Bool(flags & flag != 0),
        }
    }

    fn label(&self, name: &str) -> String {
        let about = About { client: &self.query.client, name: self.query.name.as_wire(), upstream: None };
        self.labels.label(name, &about).unwrap_or_default()
    }
}

impl Program {
    /// The text for this question.
    pub(crate) fn text(&self, data: &Data<'_>) -> Result<String, Failed> {
        let mut run = Run { data, slots: vec![Value::Missing; self.slots], dot: None, out: String::new() };
        run.nodes(&self.nodes)?;
        Ok(run.out)
    }
}

struct Run<'d> {
    data: &'d Data<'d>,
    slots: Vec<Value<'d>>,
    /// What `.` is inside `with`.
    dot: Option<Value<'d>>,
    out: String,
}

impl<'d> Run<'d> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), Failed> {
        for node in nodes {
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(pipe) => {
                    let value = self.pipe(pipe)?;
                    if pipe.target.is_none() {
                        self.write(&value.printed()?)?;
                    }
                }
                Node::If { condition, then, otherwise } => {
                    let is_so = self.pipe(condition)?.is_true();
                    self.nodes(if is_so { then } else { otherwise })?;
                }
                Node::With { value, then, otherwise } => {
                    let value = self.pipe(value)?;
                    if !value.is_true() {
                        self.nodes(otherwise)?;
                        continue;
                    }
                    let before = self.dot.replace(value);
                    self.nodes(then)?;
                    self.dot = before;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Failed> {
        self.out.push_str(text);
        self.out = bounded(std::mem::take(&mut self.out))?;
        Ok(())
    }

    fn pipe(&mut self, pipe: &Pipe) -> Result<Value<'d>, Failed> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, value)?);
        }
        let value = value.unwrap_or(Value::Missing);
        if let Some(target) = &pipe.target {
            self.slots[target.slot] = value.clone();
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, piped: Option<Value<'d>>) -> Result<Value<'d>, Failed> {
        match command {
            Command::Value(operand) => self.operand(operand),
            Command::Meta(label) => {
                let label = match label {
                    Some(operand) => self.operand(operand)?,
                    None => piped.unwrap_or(Value::Missing),
                };
                Ok(Value::Text(self.data.label(label.text(".Meta")?).into()))
            }
            Command::Call(function @ (Function::And | Function::Or), arguments) => {
                let mut last = Value::Missing;
                for operand in arguments {
                    last = self.operand(operand)?;
                    if last.is_true() == (*function == Function::Or) {
                        return Ok(last);
                    }
                }
                Ok(piped.unwrap_or(last))
            }
            Command::Call(function, arguments) => {
                let mut values = arguments.iter().map(|one| self.operand(one)).collect::<Result<Vec<_>, _>>()?;
                values.extend(piped);
                function.call(&values)
            }
        }
    }

    fn operand(&mut self, operand: &Operand) -> Result<Value<'d>, Failed> {
        match operand {
            Operand::Text { value, .. } => Ok(Value::Text(value.clone().into())),
            Operand::Number { value, .. } => Ok(Value::Int(*value)),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::Dot => Ok(self.dot.clone().unwrap_or(Value::Missing)),
            Operand::Field(field) => Ok(self.data.field(*field)),
            Operand::Variable { slot, .. } => Ok(self.slots[*slot].clone()),
            Operand::Key { of, key } => self.operand(of)?.key(key),
            Operand::Pipe(pipe) => self.pipe(pipe),
        }
    }
}
