//! What is done beside the questions: checks of upstreams that failed, and the watch over those that may fall silent.

use std::sync::Arc;
use std::time::Duration;

use contract::limits;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use crate::group::GroupSettings;
use crate::health::{Checked, HealthSettings};
use crate::members::Members;
use crate::upstream::Upstream;
use crate::vigil::{Silence, Vigil};

/// How often is looked for silence while there are questions to judge by.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A look that comes so much too late says that this process was held up, and that what others said may lie unread.
const LATE_LOOK: Duration = LOOK_EVERY.saturating_mul(3);
/// Checks because of silence are so far apart while they are answered.
const WONDER_APART: Duration = Duration::from_secs(1);

/// Cares for whoever is a member, for as long as it is polled.
pub(crate) async fn run(members: Arc<Members>, settings: GroupSettings) {
    let (mut changes, mut cares) = (members.changes(), FuturesUnordered::new());
    let mut known: Vec<Arc<Upstream>> = Vec::new();
    loop {
        changes.mark_unchanged();
        let lineup = members.now();
        for upstream in lineup.upstreams.iter() {
            if !known.iter().any(|other| Arc::ptr_eq(other, upstream)) {
                cares.push(care(Arc::clone(upstream), Arc::clone(&members), settings.clone()));
            }
        }
        known = lineup.upstreams.to_vec();
        tokio::select! {
            _ = changes.changed() => {}
            Some(()) = cares.next() => {}
        }
    }
}

/// Cares for one upstream for as long as it is a member.
async fn care(upstream: Arc<Upstream>, members: Arc<Members>, settings: GroupSettings) {
    let checks = async {
        match settings.max_fails {
            0 => std::future::pending().await,
            _ => check(&upstream, &settings, &members).await,
        }
    };
    let watch = async {
        match &upstream.vigil {
            None => std::future::pending().await,
            Some(vigil) => watch(&upstream, vigil, &members, settings.max_fails).await,
        }
    };
    tokio::select! {
        () = checks => {}
        () = watch => {}
    }
}

/// Checks one upstream whenever it is suspected, until it is good.
async fn check(upstream: &Upstream, settings: &GroupSettings, members: &Members) {
    loop {
        upstream.health.suspected().await;
        let checked = match settings.overlapping_checks {
            true => check_overlapping(upstream, &settings.health, settings.max_fails).await,
            false => check_in_turn(upstream, &settings.health, settings.max_fails).await,
        };
        if checked == Checked::Back {
            members.recovered();
        }
    }
}

/// One check after the other, until one is good.
async fn check_in_turn(upstream: &Upstream, settings: &HealthSettings, max_fails: u32) -> Checked {
    loop {
        let checked = upstream.check(settings, true, max_fails).await;
        if checked != Checked::Failed {
            return checked;
        }
        sleep(settings.interval).await;
    }
}

/// The next check while the last is not answered, until one is good.
async fn check_overlapping(upstream: &Upstream, settings: &HealthSettings, max_fails: u32) -> Checked {
    let mut under_way = FuturesUnordered::new();
    loop {
        // the next check is a repeat
        let repeats = !upstream.health.is_ailing();
        under_way.push(upstream.check(settings, repeats, max_fails));
        let checked = outcome(&mut under_way, upstream, settings).await;
        if checked != Checked::Failed {
            return checked;
        }
    }
}

/// What the checks under way come to; failed, if another one is to begin: an interval after the last one has failed, or
/// although it is not answered, so that nobody who is back waits for the end of a check that was lost.
async fn outcome<F: Future<Output = Checked>>(
    under_way: &mut FuturesUnordered<F>,
    upstream: &Upstream,
    settings: &HealthSettings,
) -> Checked {
    let interval = settings.interval.max(limits::UPSTREAM_CHECK_WITHIN / limits::UPSTREAM_CHECKS_MAX);
    let mut due = std::pin::pin!(sleep(interval));
    loop {
        tokio::select! {
            biased;
            Some(checked) = under_way.next() => match checked {
                Checked::Failed if under_way.is_empty() => {
                    sleep(settings.interval).await;
                    return checked;
                }
                Checked::Failed => {} // the others may still be answered
                Checked::Good | Checked::Back => return checked,
            },
            () = &mut due => {
                if upstream.health.is_ailing() && under_way.len() < limits::UPSTREAM_CHECKS_MAX as usize {
                    return Checked::Failed;
                }
                due.as_mut().reset(Instant::now() + interval);
            }
        }
    }
}

/// Has an upstream checked once it says nothing to several questions. One that says nothing to a check either is passed
/// over, and those who wait for it are told to ask elsewhere. Ends when it has left.
async fn watch(upstream: &Upstream, vigil: &Vigil, members: &Members, max_fails: u32) {
    let (mut wondered, mut alarmed): (Option<Wonder>, _) = (None, None);
    loop {
        vigil.worth_a_look().await;
        if vigil.has_left() {
            return;
        }
        let before = Instant::now();
        sleep(LOOK_EVERY).await;
        let now = Instant::now();
        let remarkable = upstream.round_trip.silence();
        let (since, is_long) = match vigil.silence(remarkable, now) {
            Silence::None => continue,
            Silence::Remarkable(since) => (since, false),
            Silence::Alarming(since) => (since, true),
        };
        match &mut wondered {
            // whoever was asked a moment ago, and answered, is slow for some names
            Some(last) if last.since != since && now - last.at < WONDER_APART => {}
            Some(last) if last.since == since => {
                // the time in which we were held up ourselves is not its silence
                let late = (now - before).saturating_sub(LOOK_EVERY);
                last.at = if late > LATE_LOOK { now } else { last.at + late };
                let unanswered = is_long && now - last.at >= remarkable * 2;
                if unanswered
                    && alarmed != Some(since)
                    && has_another(upstream, members, max_fails, now)
                    && members.may_alarm(now)
                {
                    alarmed = Some(since);
                    upstream.tally.silences.increment();
                    vigil.suspect(now);
                }
            }
            _ => {
                wondered = Some(Wonder { since, at: now });
                upstream.health.suspect();
            }
        }
    }
}

/// A silence that a check was asked for.
struct Wonder {
    since: u64,
    at: Instant,
}

/// Whether there is somebody else to ask: the last one is never passed over.
fn has_another(upstream: &Upstream, members: &Members, max_fails: u32, now: Instant) -> bool {
    let can_be_asked = |other: &Arc<Upstream>| !other.health.is_down(max_fails) && !other.is_suspected(now);
    let lineup = members.now();
    lineup.upstreams.iter().any(|other| !std::ptr::eq(Arc::as_ptr(other), upstream) && can_be_asked(other))
}
