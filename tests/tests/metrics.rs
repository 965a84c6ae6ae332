//! Tier `metrics`: what a daemon tells of itself under a load that moves everything: CoreDNS's and node-cache's names, the lint of
//! promtool, the table in docs/, the dashboard and the alerts before a real Prometheus; and what it says in its log.

mod bounds;
mod logs;
mod names;
mod page;
mod queries;
mod scene;
mod table;
