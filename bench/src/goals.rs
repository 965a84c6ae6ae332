//! Figures to reach, as data: what is looked at, and when it is good.

use crate::record::Record;
use crate::spread::Spread;

/// A figure to reach.
#[derive(Debug)]
pub(crate) struct Goal {
    /// In words, for the tables.
    pub(crate) says: &'static str,
    pub(crate) figure: Figure,
    pub(crate) reach: Reach,
}

/// What is looked at.
#[derive(Debug)]
pub(crate) enum Figure {
    /// The figure itself.
    Value { column: &'static str, of: &'static str },
    /// Of one server by that of another, in the same round.
    Ratio { column: &'static str, of: &'static str, to: &'static str },
    /// Of one server by the best of the others, in the same round. `higher` says what is best.
    ToBest { column: &'static str, of: &'static str, not: &'static [&'static str], higher: bool },
}

/// When it is good.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Reach {
    AtMost(f64),
    Below(f64),
    Above(f64),
}

impl Goal {
    /// What the record says of it; `None` if it was not measured.
    pub(crate) fn spread(&self, record: &Record) -> Option<Spread> {
        match self.figure {
            Figure::Value { column, of } => record.spread(of, column),
            Figure::Ratio { column, of, to } => {
                Spread::of_ratios(&record.figures(of, column), &record.figures(to, column))
            }
            Figure::ToBest { column, of, not, higher } => {
                let own = record.figures(of, column);
                let others: Vec<_> = record
                    .servers()
                    .into_iter()
                    .filter(|server| *server != of && !not.contains(server))
                    .map(|server| record.figures(server, column))
                    .collect();
                let best = |round: usize| {
                    let figures = others.iter().filter_map(|figures| figures[round]);
                    figures.reduce(if higher { f64::max } else { f64::min })
                };
                let best: Vec<_> = (0..own.len()).map(best).collect();
                Spread::of_ratios(&own, &best)
            }
        }
    }
}

impl Reach {
    /// True if the median is good.
    pub(crate) fn is_met(self, spread: Spread) -> bool {
        match self {
            Self::AtMost(bound) => spread.median <= bound,
            Self::Below(bound) => spread.median < bound,
            Self::Above(bound) => spread.median > bound,
        }
    }

    /// The figure as a share of what is to be reached: 1 is just reached, less is better.
    pub(crate) fn share(self, figure: f64) -> f64 {
        match self {
            Self::AtMost(bound) | Self::Below(bound) => figure / bound,
            Self::Above(bound) => bound / figure,
        }
    }

    /// In words.
    pub(crate) fn text(self) -> String {
        match self {
            Self::AtMost(bound) => format!("at most {}", plain(bound)),
            Self::Below(bound) => format!("less than {}", plain(bound)),
            Self::Above(bound) => format!("more than {}", plain(bound)),
        }
    }
}

/// With as many decimals as it has, three at most.
fn plain(figure: f64) -> String {
    let text = format!("{figure:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record_with;
    use crate::rows::ROWS;

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let samples = [(1, "a", "all", 1.0), (1, "b", "all", 4.0), (2, "a", "all", 2.0), (2, "b", "all", 4.0)];
        let record = record_with(&ROWS[0], &samples);
        let goal =
            Goal { says: "", figure: Figure::Ratio { column: "all", of: "a", to: "b" }, reach: Reach::AtMost(0.4) };
        let spread = goal.spread(&record).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (0.25, 0.375, 0.5));
        assert!(goal.reach.is_met(spread) && !Reach::AtMost(0.3).is_met(spread));
    }

    #[test]
    fn the_best_of_the_others_may_change_from_round_to_round() {
        let samples = [
            (1, "a", "all", 1.0),
            (1, "b", "all", 2.0),
            (1, "c", "all", 4.0),
            (1, "echo", "all", 0.1),
            (2, "a", "all", 1.0),
            (2, "b", "all", f64::NAN),
            (2, "c", "all", 4.0),
        ];
        let record = record_with(&ROWS[0], &samples);
        let figure = |higher| Figure::ToBest { column: "all", of: "a", not: &["echo"], higher };
        let spread = |higher| Goal { says: "", figure: figure(higher), reach: Reach::AtMost(1.0) }.spread(&record);
        assert_eq!(spread(false).map(|ratio| (ratio.low, ratio.high)), Some((0.25, 0.5)));
        assert_eq!(spread(true).map(|ratio| (ratio.low, ratio.high)), Some((0.25, 0.25)));
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        let record = record_with(&ROWS[0], &[(1, "a", "all", 1.0)]);
        let goal =
            Goal { says: "", figure: Figure::Ratio { column: "all", of: "a", to: "b" }, reach: Reach::AtMost(9.0) };
        assert_eq!(goal.spread(&record), None);
    }

    #[test]
    fn a_share_below_one_is_good_either_way() {
        assert_eq!(Reach::AtMost(0.5).share(0.25), 0.5);
        assert_eq!(Reach::Above(2.0).share(4.0), 0.5);
        let texts = [Reach::AtMost(0.25), Reach::Below(1.0), Reach::Above(12.0)].map(Reach::text);
        assert_eq!(texts, ["at most 0.25", "less than 1", "more than 12"]);
    }

    #[test]
    fn as_good_as_the_best_is_not_better() {
        let same = Spread::of([1.0]).unwrap();
        assert!(Reach::AtMost(1.0).is_met(same));
        assert!(!Reach::Below(1.0).is_met(same) && !Reach::Above(1.0).is_met(same));
    }
}
