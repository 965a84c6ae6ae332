//! What all rounds of a disturbance come to, in one line: the figures that are set beside others'.

use std::time::Duration;

use nearpath_tests::load::Report;
use nearpath_tests::mode;

/// Figures of some rounds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: usize,
    sent: usize,
    lost: usize,
    most: usize,
    longest: Duration,
    longest_undisturbed: Duration,
    lost_undisturbed: usize,
}

impl Tally {
    /// Adds a round: what was asked before the disturbance, and from its beginning.
    pub(super) fn adds(&mut self, undisturbed: &Report, disturbed: &Report) {
        self.rounds += 1;
        self.sent += disturbed.sent();
        self.lost += disturbed.lost();
        self.most = self.most.max(disturbed.lost());
        self.longest = self.longest.max(disturbed.longest());
        self.longest_undisturbed = self.longest_undisturbed.max(undisturbed.longest());
        self.lost_undisturbed += undisturbed.lost();
    }

    /// Says it.
    pub(super) fn tells(&self, who: &str, what: &str) {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        mode::note(&format!(
            "{who}, {what}, {} rounds: {} asked, {} lost, at most {} in a round; longest wait {:.0} ms; just before: {} lost, {:.0} ms",
            self.rounds,
            self.sent,
            self.lost,
            self.most,
            ms(self.longest),
            self.lost_undisturbed,
            ms(self.longest_undisturbed),
        ));
    }
}
