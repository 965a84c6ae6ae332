//! The server blocks as work beside the queries enters them: a way in that does not keep them alive.

use std::sync::{Arc, Weak};

use contract::wire::Name;
use contract::{Blocks, Boxed, Failure, Moment, Query, Remembered, Served};

use super::entrance::Entrance;
use super::zones::Zones;

/// The way in for a plugin's work beside the queries: the plugin is held by its block, and must not hold the block in turn.
pub(super) struct Handle(Weak<Zones>);

impl Blocks for Handle {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.entrance()?.resolve(query).await })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        self.entrance().ok()?.stored(query)
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.entrance()?.ask_anew(query).await })
    }

    fn remembered(&self, query: &Query) -> Option<Remembered> {
        self.entrance().ok()?.remembered(query)
    }

    fn renew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.entrance()?.renew(query).await })
    }

    fn forget(&self, names: &[Name], before: Moment) {
        if let Ok(entrance) = self.entrance() {
            entrance.forget(names, before);
        }
    }

    fn forgive(&self, zones: &[Name]) {
        if let Ok(entrance) = self.entrance() {
            entrance.forgive(zones);
        }
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        self.entrance().is_ok_and(|entrance| entrance.is_same_block(one, other))
    }

    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        Some(Arc::new(Self(Weak::clone(&self.0))))
    }
}

impl Handle {
    pub(super) fn new(zones: &Arc<Zones>) -> Self {
        Self(Arc::downgrade(zones))
    }

    fn entrance(&self) -> Result<Entrance, Failure> {
        self.0.upgrade().map(Entrance).ok_or(Failure::NotReady { what: "the server block" })
    }
}
