//! What the bounds of all private zones together let out: to a cloud no more than it takes, to an address by one bound.

use contract::corefile::{Corefile, Report};
use upstream::Rate;

use crate::spec::clouds::{CLOUDS, Cloud};
use crate::spec::to::{self, Bound};

/// Warns of an address with several bounds, and of a cloud that is sent more than it takes.
pub(crate) fn check(corefile: &Corefile, report: &mut Report) {
    let all = corefile.blocks.iter().flat_map(|block| block.directives("privatezone")).flat_map(to::bounds);
    let bounds = different(all, report);
    for cloud in &CLOUDS {
        too_much(cloud, &bounds, report);
    }
}

/// Each address with each of its bounds. The same figures are the same bound, wherever they stand; warns of others.
fn different(all: impl Iterator<Item = Bound>, report: &mut Report) -> Vec<Bound> {
    let mut bounds: Vec<Bound> = Vec::new();
    for bound in all {
        let mut known = bounds.iter().filter(|known| known.address == bound.address).peekable();
        let first = known.peek().map(|first| (first.span, first.rate));
        if known.any(|known| known.rate == bound.rate) {
            continue;
        }
        if let Some((span, rate)) = first {
            let place = report.place(span).to_string();
            let message = format!(
                "{} has another bound at {place}: {}, and here {}",
                bound.address,
                told(rate),
                told(bound.rate)
            );
            let warning = report.warning(bound.span, message);
            warning
                .help("each is counted by itself, so that it is sent both together")
                .help("with the same `max_qps` and `burst` in both places there is one bound for both");
        }
        bounds.push(bound);
    }
    bounds
}

fn told(rate: Option<Rate>) -> String {
    match rate {
        Some(rate) => format!("{} a second and {} at once", rate.per_second, rate.burst),
        None => "none".to_owned(),
    }
}

/// A cloud that takes less than may be sent to all its addresses in a second: after a pause `max_qps` and `burst`.
fn too_much(cloud: &Cloud, bounds: &[Bound], report: &mut Report) {
    let Some((limit, counted)) = cloud.limit else { return };
    let (mut total, mut over, mut parts) = (0, None, Vec::new());
    for bound in bounds.iter().filter(|bound| cloud.has(bound.address)) {
        let Some(rate) = bound.rate else { continue };
        total += u64::from(rate.per_second) + u64::from(rate.burst);
        if total > u64::from(limit) {
            over = over.or(Some(bound.span));
        }
        let place = report.place(bound.span);
        parts.push(format!("{} + {} to {}, at {place}", rate.per_second, rate.burst, bound.address));
    }
    if let Some(span) = over {
        let message = format!(
            "{} is sent up to {total} messages in a second, and takes {limit} {counted} per second",
            cloud.name
        );
        let help = format!("`max_qps` and `burst` leave in one second after a pause: {}", parts.join("; "));
        report
            .warning(span, message)
            .help(help)
            .help("what is above the limit is lost there; what is above a bound of ours waits here");
    }
}
