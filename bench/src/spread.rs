//! Medians and spreads: what several rounds say together.

use serde::Serialize;

/// The median of some figures, and the least and the greatest of them.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How many figures these are.
    pub(crate) count: usize,
}

impl Spread {
    /// Of figures in any order; `None` if there are none. Of an even number of figures the median is the mean of the two in the midst.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (&low, &high) = (sorted.first()?, sorted.last()?);
        let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { median: f64::midpoint(below, above), low, high, count: sorted.len() })
    }

    /// Of the ratios of figures that were taken in the same round. Rounds in which one is missing do not count.
    pub(crate) fn of_ratios(above: &[Option<f64>], below: &[Option<f64>]) -> Option<Self> {
        let both = above.iter().zip(below).filter_map(|(above, below)| above.zip(*below));
        Self::of(both.filter(|(_, below)| *below != 0.0).map(|(above, below)| above / below))
    }

    /// `median (low to high)`, or the median alone where there is but one figure.
    pub(crate) fn text(self, decimals: usize) -> String {
        let number = |figure| grouped(figure, decimals);
        if self.count == 1 {
            return number(self.median);
        }
        format!("{} ({} to {})", number(self.median), number(self.low), number(self.high))
    }
}

/// A figure with so many decimals, thousands set apart.
pub(crate) fn grouped(figure: f64, decimals: usize) -> String {
    let plain = format!("{figure:.decimals$}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut apart = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    format!("{sign}{apart}{rest}")
}

/// The figure below which a share of all lies: `share` of 0.99 is the 99th percentile. Sorts.
pub(crate) fn quantile(figures: &mut [f64], share: f64) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let place = (share * figures.len() as f64).ceil() as usize;
    figures.get(place.clamp(1, figures.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_midst() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.low, spread.high, spread.count), (2.0, 1.0, 3.0, 3));
        assert_eq!(Spread::of([1.0, 4.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, 1.0]).unwrap().count, 1, "what is no number does not count");
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // Both grow tenfold from round to round: the ratio stays.
        let ratios = Spread::of_ratios(&[Some(1.0), Some(10.0), Some(100.0)], &[Some(2.0), Some(20.0), Some(200.0)]);
        assert_eq!(ratios.map(|ratio| (ratio.median, ratio.low, ratio.high)), Some((0.5, 0.5, 0.5)));
        let void = Spread::of_ratios(&[Some(1.0), None, Some(3.0)], &[Some(1.0), Some(1.0), None]).unwrap();
        assert_eq!((void.median, void.count), (1.0, 1), "a void measurement leaves its round out");
        assert_eq!(Spread::of_ratios(&[Some(1.0)], &[Some(0.0)]), None);
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(-1_234.5, 1), "-1,234.5");
        assert_eq!(grouped(0.126, 2), "0.13");
        assert_eq!(Spread::of([1.0, 2.0, 4.0]).unwrap().text(1), "2.0 (1.0 to 4.0)");
        assert_eq!(Spread::of([2.0]).unwrap().text(0), "2");
    }

    #[test]
    fn a_quantile_is_one_of_the_figures() {
        let mut figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut figures, 0.99), Some(99.0));
        assert_eq!(quantile(&mut figures, 0.5), Some(50.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
