//! Every bound of the daemon by name and unit, and how the bounds relate. Reaching one is counted and visible.

use std::time::Duration;

/// No well-formed query waits longer for its reply.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(4_000);
/// When an expired answer is at hand it goes out after this wait for a fresh one (RFC 8767 5: client response timer).
pub const STALE_AFTER: Duration = Duration::from_millis(1_800);
/// After a failed refresh stale answers go out at once for this long before upstream is asked again (RFC 8767 5).
pub const STALE_RECHECK: Duration = Duration::from_secs(5);
/// How long past its end an answer may be served when upstreams fail, unless `serve_stale` says more.
pub const STALE_MAX: Duration = Duration::from_secs(3_600);
/// The TTL of a stale answer, seconds (RFC 8767 4).
pub const STALE_TTL: u32 = 30;
/// How long a SERVFAIL is memorised (RFC 9520 allows 1 s to 5 min; CoreDNS's default), and at most that nobody replied.
pub const SERVFAIL_MAX: Duration = Duration::from_secs(5);
/// The chain gives up, so that there is time to write the reply.
pub const CHAIN_WITHIN: Duration = Duration::from_millis(3_850);
/// The last moment of an upstream exchange; leaves time to say that it failed.
pub const EXCHANGE_WITHIN: Duration = Duration::from_millis(3_700);
/// After this without a reply the next attempt starts; the late one goes on until the exchange ends.
pub const ATTEMPT_WITHIN: Duration = Duration::from_millis(2_000);

/// Questions outstanding on the miss path, all clients together.
pub const MISSES_MAX: usize = 8_192;
/// Questions outstanding on the miss path for one client address.
pub const MISSES_PER_CLIENT_MAX: usize = 1_024;
/// Misses that are let in while memory is short and nothing helps against it, so that refusing does not last for ever.
pub const MISSES_UNDER_PRESSURE_MAX: usize = 64;
/// How deep a question may enter the server blocks anew (AutoPath's candidates, chased CNAMEs).
pub const REENTRIES_MAX: u8 = 4;
/// Links of a CNAME chain of a private zone, those that its upstream followed among them; a longer one is a failure.
pub const CHASED_LINKS_MAX: usize = 8;
/// Whoever follows a CNAME waits so long for the same question of somebody else; then it asks again, together with others who
/// follow one: two chains that lead into each other would wait for one another for ever.
pub const CHASED_PATIENCE: Duration = Duration::from_millis(200);
/// And so long for those; then it asks alone.
pub const CHASED_TOGETHER: Duration = Duration::from_millis(2_000);
/// How long a question waits for its turn at an upstream with a bound of questions per second.
pub const UPSTREAM_TURN_WITHIN: Duration = Duration::from_millis(1_500);
/// One client address has at most one of so many places among those who wait so.
pub const UPSTREAM_LINE_SHARES: u32 = 4;
/// Names of one private zone that are missing from it for a moment, as far as that is remembered.
pub const VANISHED_MAX: usize = 4_096;
/// Names that are known to be published into the private zones of one directive, of all objects together.
pub const PUBLISHED_NAMES_MAX: usize = 200_000;
/// The same in octets, with the objects' own names and all targets, as they are kept.
pub const PUBLISHED_OCTETS_MAX: usize = 64 << 20;
/// So many octets of that are taken for each name above others.
pub const PUBLISHED_ABOVE_OCTETS: usize = 24;
/// Records of one type that one object publishes under a name, counted as one, of all its names together.
pub const PUBLISHED_PER_OBJECT_MAX: usize = 4_096;
/// Targets of one of them; with more of them they count as not known.
pub const PUBLISHED_TARGETS_MAX: usize = 256;
/// Octets of one target; a longer one counts as not known.
pub const PUBLISHED_TARGET_OCTETS_MAX: usize = 4_096;
/// Changes of such names that are remembered one by one; who is further behind looks at all of them.
pub const PUBLISHED_CHANGES_MAX: usize = 4_096;
/// Names that were published and are no more, as far as that is remembered,
pub const WITHDRAWN_MAX: usize = 16_384;
/// and for how long: whoever publishes takes some time to remove it from the zone, and longer where a removal is put off.
pub const WITHDRAWN_FOR: Duration = Duration::from_secs(3_600);
/// The TTL of a record that is made of what an object says, seconds at most.
pub const MADE_TTL_MAX: u32 = 30;
/// Names of private zones that are pursued at once after what objects say of them has changed; the rest waits in order,
pub const PURSUITS_MAX: usize = 256;
/// and wildcards, which are asked for although nobody here has,
pub const PURSUED_WILDCARDS_MAX: usize = 16;
/// with so many questions at once.
pub const PURSUIT_QUESTIONS_MAX: usize = 16;
/// Whoever publishes has shown a change within this, or it is not waited for any longer.
pub const PURSUIT_WITHIN: Duration = Duration::from_secs(60);
/// But while its resolver does not answer it is, up to this:
pub const PURSUIT_OUTAGE_MAX: Duration = Duration::from_secs(600);
/// then with such pauses.
pub const PURSUIT_PAUSE_OUTAGE: Duration = Duration::from_secs(2);
/// A pursuit ends when memory has forgotten its name so often: a zone that shows other records each time spreads its clients.
pub const PURSUIT_FORGETS_MAX: u32 = 16;
/// The pause before a pursued name is asked for again, which doubles each time,
pub const PURSUIT_PAUSE_MIN: Duration = Duration::from_millis(250);
/// up to this. As often it is seen whether anybody has asked for a changed name meanwhile.
pub const PURSUIT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// After this it is looked once more for what questions that were under way have brought back.
pub const PURSUIT_SETTLES_AFTER: Duration = Duration::from_secs(1);
/// Changed names that nobody here has asked for yet, as far as they are watched for it.
pub const PURSUITS_DORMANT_MAX: usize = 4_096;
/// Names that memory forgets in one walk.
pub const FORGOTTEN_TOGETHER_MAX: usize = 256;
/// Between two such walks, so that names that change together are forgotten together.
pub const FORGETS_APART: Duration = Duration::from_millis(50);
/// Names that are known to be seen in their zone, in one half of that memory; the older half goes when the younger one is full.
pub const SIGHTINGS_HALF_MAX: usize = 8_192;
/// Targets of CNAMEs in answers of a private zone, in one half of that memory.
pub const LINKED_HALF_MAX: usize = 8_192;
/// Links of a CNAME chain that are followed in a reply.
pub const CNAME_LINKS_MAX: usize = 16;
/// Search domains of one pod (kubelet's own bound).
pub const SEARCH_DOMAINS_MAX: usize = 32;
/// Characters of one search domain (kubelet drops longer ones).
pub const SEARCH_DOMAIN_CHARACTERS_MAX: usize = 253;
/// Characters of all search domains of a pod with the blanks between them (kubelet drops the last ones).
pub const SEARCH_LINE_CHARACTERS_MAX: usize = 2_048;
/// A file of the node that is read for pods' search lists (its resolv.conf, the kubelet's configuration), octets.
pub const NODE_FILE_MAX: usize = 64 << 10;
/// EndpointSlices that are kept of one Service: the API server's own controllers put a hundred endpoints into each.
pub const SLICES_MAX: usize = 256;
/// Endpoints that are kept of one EndpointSlice (the API server's own bound).
pub const SLICE_ENDPOINTS_MAX: usize = 1_000;
/// Ports of one EndpointSlice (the API server's own bound).
pub const SLICE_PORTS_MAX: usize = 100;
/// Zones that an endpoint is meant for (the API server's own bound).
pub const ENDPOINT_ZONES_MAX: usize = 8;
/// Endpoints of one Service that are asked; those meant for this node's zone come first.
pub const ENDPOINTS_MAX: usize = 1_024;
/// Pods whose search lists are known: one node's, and far more than any has.
pub const PODS_MAX: usize = 4_096;
/// Addresses of which it is known why nobody has them: of each pod's two families.
pub const PLAIN_ADDRESSES_MAX: usize = 2 * PODS_MAX;
/// Addresses of the node itself that its pods tell of.
pub const HOST_ADDRESSES_MAX: usize = 16;
/// The largest file of search lists, octets.
pub const PODS_FILE_MAX: usize = 4 << 20;

/// Addresses of which it is remembered how the kernel reaches them (two families for each pod that is known), and likewise
/// links and forwarding entries of bridges; nothing is vouched for beyond.
pub const TRACES_MAX: usize = 2 * PODS_MAX;
/// Host routes to one address.
pub const TRACE_ROUTES_MAX: usize = 8;
/// The receive buffer that is asked for the kernel's notifications, octets: a burst of ten thousand fits.
pub const WITNESS_BUFFER: usize = 8 << 20;
/// The longest datagram of netlink that is read whole, octets; the kernel's dumps come in pieces of half of it at most.
pub const WITNESS_DATAGRAM_MAX: usize = 64 << 10;
/// A dump that changes interrupted is repeated so often; then what it showed has to do.
pub const WITNESS_DUMPS_MAX: u32 = 8;
/// When the kernel cannot be watched, or tells more than can be taken in, it is tried again after this, then after twice as long
/// each time,
pub const WITNESS_RETRY_MIN: Duration = Duration::from_millis(10);
/// up to this.
pub const WITNESS_RETRY_MAX: Duration = Duration::from_secs(60);

/// Instances that serve one node under one name at the same time.
pub const LEASES_MAX: usize = 16;
/// An answer of the kernel's about links, addresses, routes and neighbours comes within this: it answers as it is asked, but after
/// whoever else changes some of them.
pub const NETLINK_WITHIN: Duration = Duration::from_secs(5);
/// So often is done what is still missing of the node's interface; others may change it meanwhile.
pub const LINK_ROUNDS_MAX: u32 = 4;
/// The receive buffer that is asked for, to hear that something of the node's interface has changed, octets.
pub const CHANGES_BUFFER: usize = 1 << 20;
/// Numbers that the node's interfaces have had, of which changes are heard.
pub const CHANGES_LINKS_MAX: usize = 64;
/// Words of the kernel that are taken for one change when they come together.
pub const CHANGES_TOGETHER_MAX: usize = 1_024;

/// NXDOMAIN cuts (RFC 8020) that one `autopath` knows; further ones are not learned, and names below them are asked in full.
pub const CUTS_MAX: usize = 4_096;
/// Cuts that one `autopath` renews at the same moment.
pub const CUT_RENEWALS_MAX: usize = 64;
/// A cut is renewed ahead of its end while its uses lie no further apart than so many of its lives.
pub const CUT_USED_WITHIN_LIVES: u32 = 3;
/// One in so many renewals of a cut is done in full: a name below it is asked as well.
pub const CUT_CHECK_EVERY: u32 = 64;
/// A proof is renewed this long before its end, or a quarter of its life before it, whichever is less.
pub const CUT_AHEAD: Duration = Duration::from_secs(5);
/// A name that turned out to exist is tried as a cut again after this.
pub const CUT_RETRY: Duration = Duration::from_secs(60);
/// The two looks at a suspected contradiction lie a denial's life apart, because a cache on the way may tell it until then
/// although the name exists by now. One that lives longer than this (RFC 2308 5: caches keep none for more than three hours) is
/// not waited for, and proves no contradiction.
pub const CUT_LOOKS_APART_MAX: Duration = Duration::from_secs(3 * 3_600);
/// So many looks, [`STALE_RECHECK`] apart where nobody answers; then a suspected contradiction is given up.
pub const CUT_LOOKS_MAX: u32 = 60;
/// Search domains whose cut is off; with more of them it is off for all.
pub const CUTS_OFF_MAX: usize = 4_096;
/// The largest file of such domains, octets.
pub const CUTS_OFF_FILE_MAX: usize = 1 << 20;
/// Searches of which it is remembered that their candidates were asked in full, in one half of that memory; the older half
/// goes when the younger one is full. About 1 MiB each when full.
pub const SEEN_HALF_MAX: usize = 57_344;

/// Addresses that the kernel put in doubt; the oldest goes first, and before it those that no pod claims.
pub const DOUBTS_MAX: usize = 2 * PODS_MAX;
/// Changes of one such address that are remembered one by one; beyond that the two oldest count as one.
pub const DOUBT_CHANGES_MAX: usize = 4;
/// Claims that such a joint change is against; the latest stay.
pub const DOUBT_CLAIMS_MAX: usize = 16;
/// Words of the kernel that wait to be told.
pub const HERALD_WORDS_MAX: usize = 256;
/// Pods of which it is remembered that they are gone for good.
pub const TOMBSTONES_MAX: usize = PODS_MAX;
/// One line of a watch, octets: an object, of which the API server keeps none larger than 1.5 MiB, as JSON.
pub const API_LINE_MAX: usize = 8 << 20;
/// A list of the API server, octets: the pods of one node, the endpoints of one Service, or the objects that publish names.
pub const API_LIST_MAX: usize = 64 << 20;

/// The largest reply over UDP, octets, whatever the client says it can take (DNS flag day 2020).
pub const UDP_REPLY_MAX: usize = 1_232;
/// The largest reply to a client without EDNS (RFC 1035 4.2.1), octets.
pub const UDP_PLAIN_MAX: usize = 512;
/// The largest message (two octets of length, RFC 1035 4.2.2).
pub const MESSAGE_MAX: usize = 65_535;
/// The longest datagram that is read whole, octets; the rest of a longer one is cut off. Not a multiple of 4,096, so that the
/// buffers of a batch do not fight for the same lines of the processor's cache.
pub const UDP_QUERY_MAX: usize = 4_160;
/// How long the sending of a batch waits once for room in the socket; then what finds none is dropped and counted.
pub const UDP_SEND_WITHIN: Duration = Duration::from_millis(5);
/// Datagrams taken from or given to the kernel in one call.
pub const BATCH_MAX: usize = 64;
/// The receive buffer that is asked for, octets; a burst of thousands of questions fits.
pub const RECEIVE_BUFFER: usize = 8 << 20;
/// What a socket has at least where an address has more sockets than threads, which share what one for each thread would have,
/// octets: a batch of questions fits.
pub const RECEIVE_BUFFER_SHARE_MIN: usize = 64 << 10;

/// Connections of clients, TCP, TLS and HTTPS together.
pub const CONNECTIONS_MAX: usize = 2_048;
/// Connections of one client address; then its own longest idle one goes first.
pub const CONNECTIONS_PER_CLIENT_MAX: usize = CONNECTIONS_MAX / 4;
/// Questions under way on one connection; further ones are read when one is done.
pub const PIPELINE_MAX: usize = 128;
/// An idle connection is kept this long.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(10);
/// A TLS handshake, or a message once begun, comes whole within this time (CoreDNS's default for reading).
pub const READ_WITHIN: Duration = Duration::from_secs(3);
/// A client that does not read its replies for this long is cut.
pub const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// An idle connection holds at most this much memory for what it reads and writes, octets.
pub const IDLE_BUFFER: usize = 1_024;
/// Octets of replies that are gathered into one write before more questions are taken.
pub const GATHER_MAX: usize = 65_536;
/// What stands behind the fixed part of a header of the PROXY protocol's second version, octets: addresses, and what the proxy
/// says beside.
pub const PROXY_REST_MAX: usize = 4_096;
/// Senders behind a proxy that are remembered because their later datagrams bear no header, unless `proxyproto` says another
/// number (CoreDNS's own default);
pub const PROXY_SESSIONS: usize = 10_240;
/// and the largest number that it may say: some 128 octets each.
pub const PROXY_SESSIONS_MAX: usize = 1_000_000;
/// They are kept in so many shares at most, each with a lock of its own,
pub const PROXY_SESSION_SHARES_MAX: usize = 64;
/// and in fewer unless each has room for so many: senders spread over small shares unevenly.
pub const PROXY_SESSIONS_PER_SHARE_MIN: usize = 160;
/// The headers of an HTTP request, octets; a question by GET stands in them.
pub const HTTP_HEADERS_MAX: u32 = 16_384;

/// Questions outstanding on one upstream connection before another one is opened.
pub const UPSTREAM_PIPELINE_MAX: usize = 1_024;
/// Connections to one upstream.
pub const UPSTREAM_CONNECTIONS_MAX: usize = 4;
/// Datagram exchanges outstanding with one upstream; each holds a socket.
pub const UPSTREAM_DATAGRAMS_MAX: usize = 1_024;
/// Connections to one upstream while each of them is held up by a slow question, because it answers one after the other.
pub const UPSTREAM_HELD_UP_MAX: usize = 16;
/// Connections to one upstream that answers only a few questions on each before it closes it.
pub const UPSTREAM_SINGLES_MAX: usize = 64;
/// A connection to an upstream, TLS handshake included, is opened within this: one lost SYN is sent again.
pub const UPSTREAM_CONNECT_WITHIN: Duration = Duration::from_millis(1_500);
/// One health check: as patient as an exchange, so that an upstream which is slow, and still answers clients in time, is not
/// taken for a dead one.
pub const UPSTREAM_CHECK_WITHIN: Duration = EXCHANGE_WITHIN;
/// Health checks of one upstream at once: while it does not answer, the next one does not wait for the end of the last.
pub const UPSTREAM_CHECKS_MAX: u32 = 8;
/// Hedged questions, as a share of all questions, per cent.
pub const HEDGE_SHARE: u32 = 10;
/// With `policy sequential` the next upstream is asked no sooner while the one before is merely slow: who names an order means it.
pub const SEQUENTIAL_HEDGE_AFTER: Duration = Duration::from_millis(500);
/// Endpoints of a Service that one `forward` asks; further ones are left out.
pub const UPSTREAM_ENDPOINTS_MAX: usize = 64;
/// How long a question waits for somebody who can be asked, while a Service has no endpoint and there is no fallback.
pub const UPSTREAM_MEMBERS_WITHIN: Duration = Duration::from_millis(1_000);
/// So often one question is asked elsewhere because the upstream that it was asked of is no longer one.
pub const UPSTREAM_MOVES_MAX: usize = 16;

/// Octets of a hosts file; a larger one is not taken over.
pub const HOSTS_FILE_MAX: usize = 32 << 20;
/// Entries (an address with a name) of a hosts file; with more of them it is not taken over.
pub const HOSTS_ENTRIES_MAX: usize = 500_000;
/// Addresses of one name, and names of one address, that `hosts` keeps: a reply holds no more.
pub const HOSTS_RECORDS_MAX: usize = 1_024;
/// The shortest time between two looks at a hosts file.
pub const HOSTS_RELOAD_MIN: Duration = Duration::from_millis(100);
/// Addresses of one section of a reply that `loadbalance` puts in another order; later ones stay where they are.
pub const BALANCED_ADDRESSES_MAX: usize = 256;
/// The largest file of `loadbalance`'s weights that is read, octets.
pub const WEIGHT_FILE_MAX: usize = 4 << 20;
/// It is read no more often than this.
pub const WEIGHT_RELOAD_MIN: Duration = Duration::from_millis(100);
/// The files of one zone that are read, octets, those that it includes among them.
pub const ZONE_FILE_MAX: usize = 128 << 20;
/// Records of one zone.
pub const ZONE_RECORDS_MAX: usize = 1_000_000;
/// Owners and RDATA of all records of one zone, octets: a few of them can be written as very many.
pub const ZONE_OCTETS_MAX: usize = 256 << 20;
/// Files of one zone whose state is noted, so that they are not read again before they change; a zone of more is read at every
/// look.
pub const ZONE_STAMPS_MAX: usize = 1_024;
/// Steps from the first to the last number of one `$GENERATE`.
pub const ZONE_GENERATED_MAX: u32 = 65_535;
/// How deep zone files include one another.
pub const ZONE_INCLUDES_MAX: usize = 7;
/// Octets of the RDATA of one set of records: it must fit into a message together with its owner's name.
pub const ZONE_SET_MAX: usize = 60_000;
/// A zone file is looked at no more often than this.
pub const ZONE_RELOAD_MIN: Duration = Duration::from_millis(100);
/// After this memory forgets a changed zone once more: what was looked up just before the change is stored by then.
pub const ZONE_SETTLES_AFTER: Duration = Duration::from_secs(1);
/// Links of a CNAME chain inside one zone that are followed, beside the first.
pub const ZONE_LINKS_MAX: usize = 8;

/// The hot answers that are kept for a restart, with what their numbers stand for, octets.
pub const WARM_OCTETS_MAX: usize = 4 << 20;
/// Hot answers are kept so often; hot is what was asked for in this time or the one before.
pub const WARM_EVERY: Duration = Duration::from_secs(5 * 60);
/// Kept answers that are older are not looked at: hardly one of them would still be of use.
pub const WARM_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Lines of one block's query log that wait for their writer; further ones are dropped and counted.
pub const LOG_LINES_MAX: usize = 8_192;
/// Lines that one block's `errors` says within a second; further ones are counted, and their number is said.
pub const ERROR_LINES_PER_SECOND_MAX: u32 = 100;
/// Lines of one block's `errors` that wait for their writer.
pub const ERROR_LINES_MAX: usize = 1_024;
/// Characters of a regular expression in the Corefile (CoreDNS's own bound).
pub const REGEXP_CHARACTERS_MAX: usize = 10_000;
/// Parentheses, lists, signs and conditions inside each other in an expression or a template of the Corefile.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Parts of one expression of `view`, those that are asked twice counted twice (expr-lang's own bound).
pub const EXPRESSION_PARTS_MAX: usize = 10_000;
/// Octets of a text that a template or an expression makes: more is no record.
pub const TEMPLATE_TEXT_MAX: usize = 64 << 10;
/// Octets that a compiled regular expression may take.
pub const REGEXP_COMPILED_MAX: usize = 1 << 20;
/// EDNS options that an upstream is sent along with a question, octets of all together; those beyond are left out.
pub const SENT_OPTIONS_MAX: usize = 512;
/// How long after its first probe `loop` looks for it (CoreDNS's own bound).
pub const LOOP_PROBE_WITHIN: Duration = Duration::from_secs(30);
/// How long after a probe was answered `loop` still looks for it (CoreDNS's own bound).
pub const LOOP_SETTLED_AFTER: Duration = Duration::from_secs(2);

/// One call of `nft` or `iptables`; then it is ended.
pub const RULES_COMMAND_WITHIN: Duration = Duration::from_secs(5);
/// What is read of one voice of such a program, octets: the rules of a Service proxy are many.
pub const RULES_OUTPUT_MAX: u64 = 64 << 20;
/// Central servers that the kernel's failsafe chooses from.
pub const RULES_CENTRAL_MAX: usize = 64;
/// Bridges on which an asking pod and a central server both are, as far as the rules remember them.
pub const RULES_HAIRPINS_MAX: u32 = 256;
/// Entries of connection tracking that are read in one walk; a table larger than that is not walked to its end.
pub const CONNTRACK_ENTRIES_MAX: usize = 4_000_000;
/// How long the kernel may take for a part of the walk.
pub const CONNTRACK_WITHIN: Duration = Duration::from_secs(5);

/// Texts of a reply of class CHAOS that tells a client of itself; the longest search list takes a dozen.
pub const CHAOS_TEXTS_MAX: usize = 99;
/// Octets of such a text without its number: with it, it fits into a character string (RFC 1035 3.3).
pub const CHAOS_TEXT_MAX: usize = 240;

/// How much of an EXTRA-TEXT (RFC 8914 2) is said, octets.
pub const EDE_TEXT_MAX: usize = 160;

/// Steps of a question's story that are kept; further ones are counted.
pub const STORY_STEPS_MAX: usize = 256;
/// Series of one metric (labels such as the addresses of endpoints come and go).
pub const SERIES_PER_FAMILY_MAX: usize = 2_000;

/// Connections to the unix socket, and as many to the status page; further ones are closed.
pub const SEE_CONNECTIONS_MAX: usize = 64;
/// Connections of one client to the status page.
pub const SEE_CONNECTIONS_PER_CLIENT_MAX: usize = 16;
/// The head of a request to them comes whole within this,
pub const SEE_HEAD_WITHIN: Duration = Duration::from_secs(2);
/// and it is over within this; only streams of events go on.
pub const SEE_EXCHANGE_WITHIN: Duration = Duration::from_secs(10);
/// Who does not take an event of a stream for this long is cut.
pub const SEE_EVENT_WITHIN: Duration = Duration::from_secs(5);
/// Streams of events at once.
pub const SEE_STREAMS_MAX: usize = 32;
/// The target of such a request, octets: the longest name with every octet written `%XX`, and a search list.
pub const SEE_TARGET_MAX: usize = 4_096;
/// The head of such a request, octets.
pub const SEE_HEAD_MAX: usize = 16 << 10;
/// The headers of such a request.
pub const SEE_HEADERS_MAX: usize = 64;
/// Octets of events that are gathered into one write.
pub const SEE_GATHER_MAX: usize = 32 << 10;
/// Addresses that are told at once of who has one.
pub const SEE_PODS_MAX: usize = 1_000;
/// A reply that the command line reads of a daemon, octets; and one event of a stream.
pub const SEE_REPLY_MAX: usize = 4 << 20;
/// Questions that are explained at once; further ones are refused.
pub const EXPLAINED_MAX: usize = 8;
/// Octets that one desk for datagrams has shown and nobody has read yet. With messages the rest of a crowded moment is dropped.
pub const TAP_RING_OCTETS: usize = 128 << 10;
/// Such rings at most: a thread has one for each address that it serves. Desks beyond are not looked at.
pub const TAP_RINGS_MAX: usize = 512;
/// A desk paces itself in steps of this,
pub const TAP_STEP: Duration = Duration::from_millis(100);
/// and shows so many queries in each of them at most: all of them up to half of it, then a share. What that costs
/// beside hits is the bench's row `onlookers`: with twice as many it was more than the 5 % that looking on may cost.
pub const TAP_SHOWN_PER_STEP_MAX: u32 = 256;
/// Misses, and what came over connections, that wait to be shown.
pub const TAP_QUEUE_MAX: usize = 2_048;
/// What was seen is shown so often.
pub const TAP_SHOW_EVERY: Duration = Duration::from_millis(50);
/// Those who watch queries as they come.
pub const WATCHERS_MAX: usize = 16;
/// Queries that wait for one of them; further ones are dropped, and it is told how many.
pub const WATCH_QUEUE_MAX: usize = 1_024;
/// Names with their types that are counted as the most frequent of a while,
pub const TOP_NAMES_MAX: usize = 1_024;
/// and clients.
pub const TOP_CLIENTS_MAX: usize = 512;
/// So many of them are told.
pub const TOP_TOLD_MAX: usize = 100;
/// The while that they are counted in; told are this one and the one before.
pub const TOP_WINDOW: Duration = Duration::from_secs(30);
/// Counting goes on for so long after somebody has asked for it.
pub const TOP_OPEN_FOR: Duration = Duration::from_secs(15);
/// From one point of the history to the next,
pub const HISTORY_STEP: Duration = Duration::from_secs(5);
/// and how many there are: a quarter of an hour.
pub const HISTORY_POINTS_MAX: usize = 180;
/// Causes of failures that are counted apart; further ones are counted together.
pub const FAILURE_CAUSES_MAX: usize = 32;

/// The longest CPU profile; one is made at a time.
pub const PROFILE_MAX: Duration = Duration::from_secs(60);
/// A profile for which nobody says how long (pprof's own default).
pub const PROFILE_DEFAULT: Duration = Duration::from_secs(30);
/// Samples of a profile in each second of processor time; no divisor of usual periods.
pub const PROFILE_SAMPLES_PER_SECOND: u16 = 99;
/// After a profile has been taken, its functions are named within this, and it is sent within this.
pub const PROFILE_TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Messages that wait for one dnstap endpoint, for each unit of the argument QUEUE (CoreDNS's own number); further ones are
/// dropped and counted.
pub const DNSTAP_QUEUE_UNIT: usize = 10_000;
/// The same in octets, whatever QUEUE says.
pub const DNSTAP_QUEUE_OCTETS_MAX: usize = 16 << 20;
/// Messages that are written to a dnstap endpoint together.
pub const DNSTAP_BATCH_MAX: usize = 256;
/// A connection to a dnstap endpoint, handshake included, is opened within this (CoreDNS's own bound).
pub const DNSTAP_CONNECT_WITHIN: Duration = Duration::from_secs(4);
/// A dnstap endpoint that takes no octet for this long is cut.
pub const DNSTAP_WRITE_WITHIN: Duration = Duration::from_secs(4);
/// The first pause before a dnstap endpoint is tried again; it doubles,
pub const DNSTAP_RETRY_MIN: Duration = Duration::from_millis(500);
/// up to this (CoreDNS's own pause).
pub const DNSTAP_RETRY_MAX: Duration = Duration::from_secs(10);
/// A control frame of Frame Streams, octets.
pub const DNSTAP_CONTROL_MAX: usize = 512;

/// Spans that wait for one collector, unless `trace` says another number; further ones are dropped and counted.
pub const TRACE_BACKLOG: usize = 8_192;
/// The largest number that it may say.
pub const TRACE_BACKLOG_MAX: usize = 1_000_000;
/// Spans that go to a collector in one request, more or less: the stories of whole questions, unless `trace` says another number.
pub const TRACE_BATCH: usize = 512;
/// Spans wait so long for others to go with them, unless `trace` says another time.
pub const TRACE_BATCH_INTERVAL: Duration = Duration::from_secs(1);
/// One request to a collector, its answer included.
pub const TRACE_EXPORT_WITHIN: Duration = Duration::from_secs(5);
/// What is read of a collector's answer, octets.
pub const TRACE_ANSWER_MAX: usize = 64 << 10;
/// The first pause after a request that failed; it doubles,
pub const TRACE_RETRY_MIN: Duration = Duration::from_secs(1);
/// up to this.
pub const TRACE_RETRY_MAX: Duration = Duration::from_secs(30);

const _: () = {
    assert!(SEE_HEAD_WITHIN.as_millis() < SEE_EXCHANGE_WITHIN.as_millis());
    assert!(ANSWER_WITHIN.as_millis() < SEE_EXCHANGE_WITHIN.as_millis(), "what is explained can be told");
    assert!(SEE_CONNECTIONS_PER_CLIENT_MAX < SEE_CONNECTIONS_MAX, "one client cannot keep the others out");
    assert!(SEE_TARGET_MAX < SEE_HEAD_MAX && SEE_STREAMS_MAX < SEE_CONNECTIONS_MAX);
    assert!(CHAOS_TEXT_MAX + 3 <= 255, "a number and a blank");
    assert!(CHAOS_TEXTS_MAX * (CHAOS_TEXT_MAX + 16) < MESSAGE_MAX, "each with its record's head");
    assert!(DNSTAP_RETRY_MIN.as_millis() < DNSTAP_RETRY_MAX.as_millis());
    assert!(DNSTAP_BATCH_MAX < DNSTAP_QUEUE_UNIT);
    assert!(TRACE_RETRY_MIN.as_millis() < TRACE_RETRY_MAX.as_millis());
    assert!(STORY_STEPS_MAX < TRACE_BACKLOG && TRACE_BATCH < TRACE_BACKLOG && TRACE_BACKLOG <= TRACE_BACKLOG_MAX);
    assert!(WITNESS_RETRY_MIN.as_millis() < WITNESS_RETRY_MAX.as_millis());
    assert!(WITNESS_DATAGRAM_MAX < WITNESS_BUFFER);
    assert!(LOOP_SETTLED_AFTER.as_millis() < LOOP_PROBE_WITHIN.as_millis());
    assert!((ERROR_LINES_PER_SECOND_MAX as usize) < ERROR_LINES_MAX, "a second's lines fit");
    assert!(CUTS_OFF_MAX * 256 <= CUTS_OFF_FILE_MAX, "the longest names fit");
    assert!(ATTEMPT_WITHIN.as_millis() < EXCHANGE_WITHIN.as_millis());
    assert!(EXCHANGE_WITHIN.as_millis() < CHAIN_WITHIN.as_millis());
    assert!(CHAIN_WITHIN.as_millis() < ANSWER_WITHIN.as_millis());
    assert!(UPSTREAM_CONNECT_WITHIN.as_millis() < ATTEMPT_WITHIN.as_millis());
    assert!(UPSTREAM_CONNECTIONS_MAX <= UPSTREAM_HELD_UP_MAX && UPSTREAM_HELD_UP_MAX < UPSTREAM_SINGLES_MAX);
    assert!(STALE_AFTER.as_millis() < ATTEMPT_WITHIN.as_millis());
    assert!(UPSTREAM_TURN_WITHIN.as_millis() < STALE_AFTER.as_millis(), "then a stale answer goes out");
    assert!(CHASED_LINKS_MAX < CNAME_LINKS_MAX);
    assert!(PURSUED_WILDCARDS_MAX <= PURSUITS_MAX && PURSUIT_QUESTIONS_MAX <= PURSUITS_MAX);
    assert!(PURSUIT_PAUSE_MIN.as_millis() < PURSUIT_PAUSE_MAX.as_millis());
    assert!(PURSUIT_PAUSE_MAX.as_millis() < PURSUIT_WITHIN.as_millis());
    assert!(PURSUIT_PAUSE_MAX.as_millis() < PURSUIT_PAUSE_OUTAGE.as_millis());
    assert!(PURSUIT_WITHIN.as_millis() < PURSUIT_OUTAGE_MAX.as_millis());
    assert!(PURSUIT_OUTAGE_MAX.as_millis() < WITHDRAWN_FOR.as_millis());
    assert!(UPSTREAM_MEMBERS_WITHIN.as_millis() < STALE_AFTER.as_millis());
    assert!(ANSWER_WITHIN.as_millis() < 5_000, "glibc asks again after 5 s");
    assert!(MISSES_PER_CLIENT_MAX < MISSES_MAX);
    assert!(MISSES_UNDER_PRESSURE_MAX < MISSES_PER_CLIENT_MAX);
    assert!(WARM_EVERY.as_millis() < WARM_AGE_MAX.as_millis());
    assert!(UDP_PLAIN_MAX < UDP_REPLY_MAX && UDP_REPLY_MAX < MESSAGE_MAX);
    assert!(RECEIVE_BUFFER_SHARE_MIN < RECEIVE_BUFFER);
    assert!(
        PROXY_SESSION_SHARES_MAX * PROXY_SESSIONS_PER_SHARE_MIN <= PROXY_SESSIONS,
        "all shares, unless it is said otherwise"
    );
    assert!(2 * (UDP_QUERY_MAX + UDP_REPLY_MAX) < TAP_RING_OCTETS);
    assert!(TAP_SHOW_EVERY.as_millis() < TAP_STEP.as_millis(), "a ring has room for a step");
    assert!(TOP_TOLD_MAX < TOP_CLIENTS_MAX && TOP_TOLD_MAX < TOP_NAMES_MAX);
};
