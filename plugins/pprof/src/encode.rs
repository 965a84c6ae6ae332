//! Makes the message of a profile out of stacks that were counted: each text, function and place once.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use prost::Message as _;

use crate::message::{Function, Label, Line, Location, Profile, Sample, ValueType};

/// A stack, and how often it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) thread: String,
    /// The frames, the innermost first; in each the functions that were inlined there, the innermost first.
    pub(crate) frames: Vec<Vec<Place>>,
    pub(crate) count: i64,
}

/// A line of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) function: String,
    pub(crate) symbol: String,
    pub(crate) file: String,
    /// 0 if it is not known.
    pub(crate) line: u32,
}

/// When a profile was taken, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) begun: SystemTime,
    pub(crate) took: Duration,
    /// Between two samples.
    pub(crate) period: Duration,
}

/// The profile's octets.
pub(crate) fn encode(stacks: &[Stack], timing: &Timing) -> Vec<u8> {
    message(stacks, timing).encode_to_vec()
}

fn message(stacks: &[Stack], timing: &Timing) -> Profile {
    let mut tables = Tables::default();
    let none = tables.text("");
    debug_assert_eq!(none, 0, "the first text is empty");
    let (samples, count) = (tables.text("samples"), tables.text("count"));
    let (cpu, nanoseconds) = (tables.text("cpu"), tables.text("nanoseconds"));
    let thread = tables.text("thread");
    let period = whole(timing.period);
    let sample = stacks.iter().map(|stack| Sample {
        location_id: stack.frames.iter().map(|frame| tables.location(frame)).collect(),
        value: vec![stack.count, stack.count.saturating_mul(period)],
        label: vec![Label { key: thread, str: tables.text(&stack.thread) }],
    });
    let sample = sample.collect();
    let time = ValueType { r#type: cpu, unit: nanoseconds };
    Profile {
        sample_type: vec![ValueType { r#type: samples, unit: count }, time],
        sample,
        location: tables.locations,
        function: tables.functions,
        string_table: tables.texts,
        time_nanos: whole(timing.begun.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        duration_nanos: whole(timing.took),
        period_type: Some(time),
        period,
    }
}

/// Nanoseconds.
fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// What samples refer to by number.
#[derive(Default)]
struct Tables {
    texts: Vec<String>,
    places_of_texts: HashMap<String, i64>,
    functions: Vec<Function>,
    /// By symbol and file.
    places_of_functions: HashMap<(i64, i64), u64>,
    locations: Vec<Location>,
    places_of_locations: HashMap<Vec<Line>, u64>,
}

impl Tables {
    fn text(&mut self, text: &str) -> i64 {
        if let Some(place) = self.places_of_texts.get(text) {
            return *place;
        }
        let place = self.texts.len() as i64;
        self.texts.push(text.to_owned());
        self.places_of_texts.insert(text.to_owned(), place);
        place
    }

    fn function(&mut self, place: &Place) -> u64 {
        let (system_name, filename) = (self.text(&place.symbol), self.text(&place.file));
        if let Some(id) = self.places_of_functions.get(&(system_name, filename)) {
            return *id;
        }
        let (id, name) = (self.functions.len() as u64 + 1, self.text(&place.function));
        self.functions.push(Function { id, name, system_name, filename });
        self.places_of_functions.insert((system_name, filename), id);
        id
    }

    fn location(&mut self, frame: &[Place]) -> u64 {
        let line: Vec<Line> =
            frame.iter().map(|place| Line { function_id: self.function(place), line: place.line.into() }).collect();
        if let Some(id) = self.places_of_locations.get(&line) {
            return *id;
        }
        let id = self.locations.len() as u64 + 1;
        self.locations.push(Location { id, line: line.clone() });
        self.places_of_locations.insert(line, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(function: &str, line: u32) -> Place {
        Place { function: function.to_owned(), symbol: format!("_{function}"), file: "a.rs".to_owned(), line }
    }

    #[test]
    fn each_text_function_and_place_stands_once() {
        let inner = vec![place("inlined", 7), place("inner", 20)];
        let stack = |thread: &str, frames, count| Stack { thread: thread.to_owned(), frames, count };
        let stacks = [
            stack("one", vec![inner.clone(), vec![place("outer", 3)]], 5),
            stack("two", vec![inner, vec![place("outer", 4)]], 1),
        ];
        let timing = Timing {
            begun: SystemTime::UNIX_EPOCH + Duration::from_nanos(42),
            took: Duration::from_secs(2),
            period: Duration::from_millis(10),
        };
        let read = Profile::decode(&encode(&stacks, &timing)[..]).unwrap();
        let text = |at: i64| read.string_table[usize::try_from(at).unwrap()].as_str();
        assert_eq!(text(0), "");
        let types: Vec<_> = read.sample_type.iter().map(|of| (text(of.r#type), text(of.unit))).collect();
        assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
        assert_eq!(read.period_type, Some(read.sample_type[1]));
        assert_eq!((read.time_nanos, read.duration_nanos, read.period), (42, 2_000_000_000, 10_000_000));
        let of = |sample: &Sample| (sample.location_id.clone(), sample.value.clone(), text(sample.label[0].str));
        assert_eq!(of(&read.sample[0]), (vec![1, 2], vec![5, 50_000_000], "one"));
        assert_eq!(of(&read.sample[1]), (vec![1, 3], vec![1, 10_000_000], "two"));
        assert_eq!(text(read.sample[0].label[0].key), "thread");
        let names: Vec<_> = read.function.iter().map(|function| (function.id, text(function.name))).collect();
        assert_eq!(names, [(1, "inlined"), (2, "inner"), (3, "outer")]);
        let lines = |id: usize| read.location[id - 1].line.iter().map(|line| (line.function_id, line.line)).collect();
        let all: [Vec<_>; 3] = [1, 2, 3].map(lines);
        assert_eq!(all, [vec![(1, 7), (2, 20)], vec![(3, 3)], vec![(3, 4)]]);
        let mut once = read.string_table.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), read.string_table.len());
    }
}
