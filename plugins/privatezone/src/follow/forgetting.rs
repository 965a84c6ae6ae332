//! Names that memory is to forget, gathered for a few walks through all that it has.

use std::sync::Arc;

use contract::limits::{FORGETS_APART, FORGOTTEN_TOGETHER_MAX};
use contract::wire::Name;
use contract::{Blocks, Moment};
use tokio::task::JoinHandle;

/// Names that memory is to forget, and the walk through memory that is under way.
#[derive(Default)]
pub(super) struct Forgetting {
    /// Each with the moment before which what memory has of it is old: when the latest look at it began.
    names: Vec<(Name, Moment)>,
    walk: Option<JoinHandle<()>>,
}

impl Forgetting {
    /// What was stored before that moment is to go.
    pub(super) fn add(&mut self, name: &Name, before: Moment) {
        match self.names.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = before.max(*known),
            None => self.names.push((name.clone(), before)),
        }
    }

    /// Begins a walk if there is something to forget and none is under way, or was a moment ago.
    pub(super) fn start(&mut self, blocks: &Arc<dyn Blocks>) {
        if self.walk.is_some() {
            return;
        }
        let Some((names, before)) = self.next() else { return };
        let blocks = Arc::clone(blocks);
        self.walk = Some(tokio::spawn(async move {
            let walk = tokio::task::spawn_blocking(move || blocks.forget(&names, before));
            if let Err(error) = walk.await {
                tracing::error!(%error, "privatezone: forgetting what has changed failed");
            }
            tokio::time::sleep(FORGETS_APART).await;
        }));
    }

    /// Names of one walk: those that were looked at first, within as long as walks are apart. What was stored after
    /// the first of those looks, and before the one at its own name, goes when that is to be forgotten for the second time.
    fn next(&mut self) -> Option<(Vec<Name>, Moment)> {
        let before = self.names.iter().map(|(_, before)| *before).min()?;
        let mut names = Vec::new();
        self.names.retain(|(name, began)| {
            let goes = names.len() < FORGOTTEN_TOGETHER_MAX && began.since(before) < FORGETS_APART;
            if goes {
                names.push(name.clone());
            }
            !goes
        });
        Some((names, before))
    }

    /// Waits for the end of the walk that is under way; for ever if there is none.
    pub(super) async fn done(&mut self) {
        match &mut self.walk {
            Some(walk) => {
                let _ = walk.await; // it has said what went wrong
                self.walk = None;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::tests::world::{House, name};

    #[tokio::test(start_paused = true)]
    async fn what_was_looked_at_later_is_forgotten_up_to_then() {
        let house = House::new();
        let blocks = Arc::clone(&house.world) as Arc<dyn Blocks>;
        let mut forgetting = Forgetting::default();
        let (a, b, c, d) = (name("a.z"), name("b.z"), name("c.z"), name("d.z"));
        let later = Moment(1_000).after(FORGETS_APART);
        for (name, before) in [(&c, 9_000), (&a, 1_000), (&b, 1_010), (&d, 100)] {
            forgetting.add(name, Moment(before));
        }
        forgetting.add(&d, later);
        forgetting.add(&d, Moment(200));
        for _ in 0..3 {
            forgetting.start(&blocks);
            forgetting.start(&blocks); // one at a time
            forgetting.done().await;
        }
        forgetting.start(&blocks);
        assert!(forgetting.walk.is_none(), "nothing is left");
        let expected = [(vec![a, b], Moment(1_000)), (vec![d], later), (vec![c], Moment(9_000))];
        assert_eq!(house.world.script().forgotten, expected);
    }

    #[test]
    fn a_walk_is_for_so_many() {
        let mut forgetting = Forgetting::default();
        (0..=FORGOTTEN_TOGETHER_MAX).for_each(|index| forgetting.add(&name(&format!("n{index}.z")), Moment(7)));
        let counts: Vec<usize> = std::iter::from_fn(|| forgetting.next()).map(|(names, _)| names.len()).collect();
        assert_eq!(counts, [FORGOTTEN_TOGETHER_MAX, 1]);
    }
}
