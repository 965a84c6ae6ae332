//! One question, three tellers: what `dig +nsid` shows, what `nearpath explain` says for the same client, and what is counted are
//! the same story, case by case.
//!
//! ```text
//!   Case --given--> House --dig +nsid--> Dug ------+
//!                     |  '--scrape before, after---+--> one story
//!                     +--given, explain --json-----+
//! ```

mod failures;
mod house;
mod memory;
mod reasons;
mod walks;
mod zones;

use nearpath_tests::{metrics, mode};
use serde_json::Value;

use house::{Dug, House};

/// A metric with labels, and by how much dig's question raises it.
type Counted = (&'static str, &'static [(&'static str, &'static str)], f64);

/// A case of the table. Words of the house, such as `CENTRE`, stand for their addresses in what is told.
struct Case {
    /// What the case is about.
    name: &'static str,
    /// Makes it so: before dig asks for this name, and again before `explain` does.
    given: fn(&mut House, &str),
    /// The client's address.
    client: &'static str,
    /// The name and the type that are asked for.
    asked: [&'static str; 2],
    /// What `explain` asks for instead, where an answer in memory would end the case.
    again: Option<&'static str>,
    /// Further words for dig.
    options: &'static [&'static str],
    /// The RCODE.
    rcode: &'static str,
    /// The Extended DNS Error beside the way, and how its text begins.
    ede: Option<(u16, &'static str)>,
    /// How the way begins, for dig, and then for `explain`, which finds in memory what dig has brought there.
    way: [&'static str; 2],
    /// How the way ends, for both.
    end: &'static str,
    /// Steps that `explain` tells: the kind, and a part of the text.
    steps: &'static [(&'static str, &'static str)],
    /// What became of each candidate, as far as they were judged.
    walk: &'static [&'static str],
    /// Why there was no search.
    plain: Option<&'static str>,
    /// What dig's question adds to the metrics.
    counted: &'static [Counted],
}

/// A pod's question that is answered; each case says in what it differs.
const CASE: Case = Case {
    name: "",
    given: |_, _| {},
    client: "127.3.0.1",
    asked: ["www.example.com", "A"],
    again: None,
    options: &[],
    rcode: "NOERROR",
    ede: None,
    way: ["miss ", "hit age "],
    end: "; block .",
    steps: &[],
    walk: &[],
    plain: None,
    counted: &[],
};

/// What rises by the daemon's own looks at a zone too, while it waits for a change to show: by no less than a client's question.
const OWN_LOOKS: &[&str] = &["nearpath_privatezone_synthesized_total"];

impl Case {
    #[track_caller]
    fn holds(&self, house: &mut House) {
        let name = self.asked[0];
        (self.given)(house, name);
        let before = house.scrape();
        let dug = house.dig(self.client, &[self.options, &self.asked].concat());
        let after = house.scrape();
        self.is_dug(house, &dug);
        self.is_counted(house, &before, &after);
        let again = self.again.unwrap_or(name);
        (self.given)(house, again);
        let explained = house.explains(self.client, again, self.asked[1], self.options);
        self.is_explained(house, &dug, &explained);
    }

    #[track_caller]
    fn is_dug(&self, house: &House, dug: &Dug) {
        let Self { name, .. } = self;
        assert_eq!(dug.rcode, self.rcode, "{name}: dig\n{}", dug.text);
        let [way, end] = [self.way[0], self.end].map(|text| house.filled(text));
        assert!(
            dug.way.starts_with(&way) && dug.way.ends_with(&end),
            "{name}: `{way}..{end}` is dig's way:\n{}",
            dug.text
        );
        let told = dug.ede.as_ref().map(|(code, text)| (*code, text.as_str()));
        self.is_told(house, "dig", told);
        let plain = self.plain.filter(|plain| !dug.way.ends_with(&format!(": {plain}")));
        assert_eq!(plain, None, "{name}: the way says why there is no search:\n{}", dug.text);
    }

    #[track_caller]
    fn is_told(&self, house: &House, teller: &str, told: Option<(u16, &str)>) {
        let expected = self.ede.map(|(code, text)| (code, house.filled(text)));
        let is_so = match (&expected, told) {
            (Some((code, text)), Some(told)) => *code == told.0 && told.1.starts_with(text),
            (None, None) => true,
            _ => false,
        };
        assert!(is_so, "{}: {teller} tells the error {told:?}, and it should be {expected:?}", self.name);
    }

    #[track_caller]
    fn is_counted(&self, house: &House, before: &str, after: &str) {
        for (metric, labels, by) in self.counted {
            let labels: Vec<_> = labels.iter().map(|(label, value)| (*label, house.filled(value))).collect();
            let labels: Vec<_> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
            let rise = metrics::sum(after, metric, &labels) - metrics::sum(before, metric, &labels);
            let is_so = if OWN_LOOKS.contains(metric) { rise > by - 0.5 } else { (rise - by).abs() < 0.5 };
            assert!(is_so, "{}: {metric}{labels:?} rose by {rise}, not {by}", self.name);
        }
    }

    #[track_caller]
    fn is_explained(&self, house: &House, dug: &Dug, told: &Value) {
        let Self { name, .. } = self;
        let reply = &told["reply"];
        assert_eq!(reply["rcode"], self.rcode, "{name}: explain\n{told:#}");
        let way = reply["way"].as_str().expect("a way");
        let begin = house.filled(self.way[1]);
        assert!(way.starts_with(&begin), "{name}: `{begin}..` is explain's way:\n{told:#}");
        assert_eq!(end_of(way), end_of(&dug.way), "{name}: search, block and reason are the same\n{told:#}");
        let ede: Vec<_> = reply["ede"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let ede = ede.first().and_then(|ede| ede.split_once(": "));
        self.is_told(house, "explain", ede.map(|(code, text)| (code.parse().expect("a code"), text)));
        if dug.way.contains("autopath") {
            assert_eq!(told["client"]["plain"].as_str(), self.plain, "{name}: why there is no search\n{told:#}");
        }
        let steps = told["steps"].as_array().expect("steps");
        for (kind, text) in self.steps {
            let text = house.filled(text);
            let is_told =
                |step: &Value| step["kind"] == *kind && step["text"].as_str().is_some_and(|s| s.contains(&text));
            assert!(steps.iter().any(is_told), "{name}: no step `{kind}` with `{text}`\n{told:#}");
        }
        let walk: Vec<_> =
            told["walk"].as_array().expect("a walk").iter().filter_map(|one| one["result"].as_str()).collect();
        let is_so = |(walked, expected): (&&str, &&str)| walked.starts_with(*expected);
        // those behind a failure were asked beside it, and may have been judged before
        let is_whole = walk.len() == self.walk.len() || (self.rcode == "SERVFAIL" && walk.len() > self.walk.len());
        assert!(is_whole, "{name}: {walk:#?}");
        assert!(walk.iter().zip(self.walk).all(is_so), "{name}: {:?} and {walk:#?}", self.walk);
    }
}

/// What a way says besides where the answer came from.
fn end_of(way: &str) -> Vec<&str> {
    way.split("; ").skip(1).filter(|part| !part.starts_with("from ") && !part.starts_with("made by ")).collect()
}

/// All cases of a table, one after the other before one daemon.
#[track_caller]
fn holds(house: &mut House, table: &[Case]) {
    for case in table {
        case.holds(house);
        mode::note(&format!("one story: {}", case.name));
    }
}
