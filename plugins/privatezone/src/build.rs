//! From the specification to the plugin: reads certificates, opens nothing towards upstreams.

use std::sync::Arc;

use contract::{BuildError, Context, Plugin, Server, Spec};

use crate::plugin::PrivateZone;
use crate::spec::PrivateZoneSpec;

impl Spec for PrivateZoneSpec {
    fn name(&self) -> &'static str {
        "privatezone"
    }

    fn describe(&self) -> String {
        let zones = self.sections.iter().flat_map(|section| &section.zones);
        zones.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn servers(&self) -> Vec<Server> {
        Vec::new() // they know their zone and nothing else: nobody's questions can be sent there without us
    }

    fn build(&self, _context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        Ok(Arc::new(PrivateZone))
    }
}
