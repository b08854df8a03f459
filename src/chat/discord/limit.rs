//! How fast we may call Discord: buckets as its `X-RateLimit-*` headers tell them, at most 40 calls a second in all with
//! a share that only pages may take, and a circuit that opens long before Discord bans an address for 10,000 invalid
//! requests in ten minutes. Pure: time (milliseconds) comes in as an argument; `rest` waits and sends.
//! Source: <https://discord.com/developers/docs/topics/rate-limits>.

use std::collections::{BTreeMap, VecDeque};

/// Calls in any one second, of the 50 that Discord allows.
const PER_SECOND: usize = 40;
/// Of these, how many are kept for pages.
const FOR_PAGES: usize = 10;
/// Invalid answers within `WINDOW_MS` after which only pages are sent; Discord's own limit is 10,000.
const INVALID_MAX: usize = 500;
/// After so many nothing is sent any more until old ones are forgotten.
const INVALID_MAX_FOR_PAGES: usize = 2_000;
const WINDOW_MS: u64 = 600_000;
/// A 429 without any `Retry-After` comes from in front of Discord (Cloudflare): the first wait, doubled each time.
const EDGE_MS: u64 = 5_000;
const EDGE_MAX_MS: u64 = 300_000;
/// No wait is believed beyond this.
const WAIT_MAX_MS: u64 = 3_600_000;
/// Buckets that are remembered; those that are full again are forgotten beyond it.
const BUCKETS_MAX: usize = 10_000;
/// Turns that are remembered by what they are for.
const TURNS_MAX: usize = 10_000;
/// How long after the first the others that want the same come.
const AFTER_THE_FIRST_MS: u64 = 500;

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The answer to an interaction; Discord counts it on no global limit.
    Callback,
    /// Wakes somebody about what is critical.
    Critical,
    /// Wakes somebody.
    Page,
    /// All else.
    Other,
}

/// Which limits a call shares: its route as a template and the id that Discord counts by (channel, guild, webhook).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `POST /channels/{}/messages`.
    pub template: &'static str,
    /// The channel, guild or webhook; empty where there is none.
    pub major: String,
}

/// What an answer says about limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// `X-RateLimit-Bucket`.
    pub bucket: Option<String>,
    /// `X-RateLimit-Limit`.
    pub limit: Option<u32>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u32>,
    /// `X-RateLimit-Reset-After`, milliseconds.
    pub reset_after_ms: Option<u64>,
    /// `Retry-After` or the body's `retry_after`, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Whether a 429 is for everything we do.
    pub global: bool,
    /// Whether a 429 is for what others did in the same place, too; it is no invalid request of ours.
    pub shared: bool,
}

/// Whether a call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Now; it counts as under way until `heard` or `lost`.
    Go,
    /// Not before so many milliseconds.
    In(u64),
    /// When another call of the same route has come back: its limits are not known yet.
    AfterAnother,
}

#[derive(Debug, Default)]
struct Bucket {
    known: bool,
    limit: u32,
    remaining: u32,
    reset_at: u64,
    under_way: u32,
    /// How long a window is.
    window: u64,
    /// Until when its windows are promised to those who were sent away.
    promised: u64,
    /// The same, to those of them whose call is critical: they wait for each other only.
    promised_critical: u64,
}

impl Bucket {
    fn promised(&mut self, urgency: Urgency) -> &mut u64 {
        if urgency == Urgency::Critical { &mut self.promised_critical } else { &mut self.promised }
    }
}

/// What is known of Discord's limits.
#[derive(Debug, Default)]
pub struct Book {
    /// The limit that a route has told last, for where it has not been called yet.
    limits: BTreeMap<&'static str, u32>,
    /// By route and major id: Discord's name of the bucket. One route may be in different buckets in different places
    /// (direct messages, a guild), and a call gives its place back where it took it.
    names: BTreeMap<(&'static str, String), String>,
    /// By the bucket's name (else the route's) and the major id.
    buckets: BTreeMap<(String, String), Bucket>,
    /// Starts within the last second.
    starts: VecDeque<u64>,
    /// Nothing starts before.
    blocked_until: u64,
    /// 429s in a row without a time.
    edge: u32,
    /// Invalid answers within the window.
    invalid: VecDeque<u64>,
    /// Turns that were promised for something, by what it is.
    turns: BTreeMap<String, u64>,
}

impl Book {
    fn key(&self, route: &Route) -> (String, String) {
        let name = self.names.get(&(route.template, route.major.clone())).map_or(route.template, String::as_str);
        (name.to_owned(), route.major.clone())
    }

    /// Whether a call may start now; `Go` counts it. `whose`: as in `promise`.
    pub fn ask(&mut self, now: u64, route: &Route, urgency: Urgency, whose: &str) -> May {
        while self.invalid.front().is_some_and(|at| at + WINDOW_MS <= now) {
            self.invalid.pop_front();
        }
        let most = if urgency == Urgency::Other { INVALID_MAX } else { INVALID_MAX_FOR_PAGES };
        if let Some(nth) = self.invalid.len().checked_sub(most)
            && let Some(at) = self.invalid.get(nth)
        {
            return May::In(at + WINDOW_MS - now);
        }
        // An answer to an interaction is not counted with the rest, but a blocked address cannot send it either.
        if self.blocked_until > now {
            return May::In(self.blocked_until - now);
        }
        while self.starts.front().is_some_and(|at| at + 1_000 <= now) {
            self.starts.pop_front();
        }
        let share = match urgency {
            Urgency::Callback => usize::MAX,
            Urgency::Critical | Urgency::Page => PER_SECOND,
            Urgency::Other => PER_SECOND - FOR_PAGES,
        };
        if let Some(nth) = self.starts.len().checked_sub(share)
            && let Some(at) = self.starts.get(nth)
        {
            return May::In((at + 1_000).saturating_sub(now).max(1));
        }
        let limit = self.limits.get(route.template).copied();
        let key = self.key(route);
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain(|_, bucket| bucket.under_way > 0 || bucket.reset_at > now);
            let buckets = &self.buckets;
            self.names.retain(|(_, major), name| buckets.contains_key(&(name.clone(), major.clone())));
        }
        let bucket = self.buckets.entry(key).or_default();
        if let (false, Some(limit)) = (bucket.known, limit) {
            // The same route elsewhere has told its limit.
            (bucket.known, bucket.limit, bucket.remaining) = (true, limit, limit);
        }
        if !bucket.known && bucket.under_way > 0 {
            return May::AfterAnother;
        }
        if bucket.known {
            // Who comes first to a full bucket was given the first turn; who comes fresh does not pass them, unless
            // it is critical and they are not.
            let had_its_turn = self.turns.get(whose).is_some_and(|turn| *turn <= now);
            let promised = *bucket.promised(urgency);
            if !whose.is_empty() && promised > now && !had_its_turn {
                return May::In(promised - now);
            }
            // What is critical and was sent away takes all there is until its turns are over.
            if !whose.is_empty() && urgency != Urgency::Critical && bucket.promised_critical > now {
                return May::In(bucket.promised_critical - now);
            }
            if bucket.reset_at <= now {
                bucket.remaining = bucket.limit.saturating_sub(bucket.under_way);
                if bucket.remaining == 0 {
                    return May::AfterAnother;
                }
            }
            if bucket.remaining == 0 {
                return May::In(bucket.reset_at - now);
            }
            bucket.remaining -= 1;
        }
        bucket.under_way += 1;
        self.turns.remove(whose);
        if urgency != Urgency::Callback {
            self.starts.push_back(now);
        }
        May::Go
    }

    /// Whoever does not wait for its turn is given one: when to come again, behind those who were sent away before.
    /// Several that want the same (`whose`, where that is named) take one turn, and come shortly after it: by then what
    /// they want is there.
    pub fn promise(&mut self, now: u64, route: &Route, urgency: Urgency, whose: &str, wait: u64) -> u64 {
        if self.turns.len() >= TURNS_MAX {
            self.turns.retain(|_, turn| *turn > now);
        }
        let key = self.key(route);
        // A turn far away, given to a page of the same person that could wait, is not the turn of one that cannot.
        let sooner = self.buckets.get(&key).map_or(0, |bucket| bucket.promised_critical).max(now + wait);
        if urgency == Urgency::Critical && self.turns.get(whose).is_some_and(|turn| *turn > sooner) {
            self.turns.remove(whose);
        }
        match self.turns.get_mut(whose) {
            Some(turn) if *turn > now => return (*turn + AFTER_THE_FIRST_MS - now).min(WAIT_MAX_MS),
            // It came in its turn, and others were quicker: it does not begin to wait anew.
            Some(turn) => {
                let wait = wait.min(WAIT_MAX_MS);
                *turn = now + wait;
                return wait;
            }
            None => {}
        }
        let Some(bucket) = self.buckets.get_mut(&key).filter(|bucket| bucket.known && bucket.reset_at > now) else {
            return wait;
        };
        let each = bucket.window.max(1) / u64::from(bucket.limit.max(1));
        // Behind what is critical, whatever waits.
        let earliest = bucket.promised_critical.max(now + wait);
        let promised = bucket.promised(urgency);
        let turn = (*promised).max(earliest);
        *promised = turn + each;
        if !whose.is_empty() && self.turns.len() < TURNS_MAX {
            self.turns.insert(whose.to_owned(), turn);
        }
        (turn - now).min(WAIT_MAX_MS)
    }

    /// An answer has come, to a call that `began` then.
    pub fn heard(&mut self, now: u64, began: u64, route: &Route, told: &Told) {
        let before = self.key(route);
        if let Some(bucket) = self.buckets.get_mut(&before) {
            bucket.under_way = bucket.under_way.saturating_sub(1);
        }
        if let (Some(name), Some(limit)) = (&told.bucket, told.limit) {
            self.limits.insert(route.template, limit.max(1));
            self.names.insert((route.template, route.major.clone()), name.clone());
            if before.0 != *name
                && let Some(bucket) = self.buckets.remove(&before)
            {
                // Another route may be in that bucket already: those under way count in both.
                let under_way = bucket.under_way;
                let shared = self.buckets.entry((name.clone(), route.major.clone()));
                shared.and_modify(|known| known.under_way += under_way).or_insert(bucket);
            }
        }
        let key = self.key(route);
        if let (Some(limit), Some(remaining), Some(reset)) = (told.limit, told.remaining, told.reset_after_ms) {
            let bucket = self.buckets.entry(key.clone()).or_default();
            bucket.known = true;
            bucket.limit = limit.max(1);
            // Those under way may or may not be counted in it.
            let left = remaining.saturating_sub(bucket.under_way);
            let reset_at = now + reset.min(WAIT_MAX_MS);
            bucket.window = bucket.window.max(reset.min(WAIT_MAX_MS));
            // Answers overtake each other, and an older one must not give back what newer ones took: it tells of a newer
            // window only if that ends later even when it was counted at once. (The times are rounded.)
            let counted_at_once = began + reset.min(WAIT_MAX_MS);
            let same_window = bucket.reset_at > now && counted_at_once < bucket.reset_at + 250;
            bucket.remaining = if same_window { bucket.remaining.min(left) } else { left };
            bucket.reset_at = bucket.reset_at.max(reset_at);
        }
        if told.status == 429 {
            self.limited(now, &key, told);
        } else {
            self.edge = 0;
        }
        if matches!(told.status, 401 | 403) || told.status == 429 && !told.shared {
            self.invalid.push_back(now);
        }
    }

    fn limited(&mut self, now: u64, key: &(String, String), told: &Told) {
        match told.retry_after_ms {
            Some(wait) if told.global => self.blocked_until = self.blocked_until.max(now + wait.min(WAIT_MAX_MS)),
            Some(wait) if told.bucket.is_some() || told.shared || told.limit.is_some() => {
                let bucket = self.buckets.entry(key.clone()).or_default();
                (bucket.known, bucket.remaining) = (true, 0);
                bucket.limit = bucket.limit.max(1);
                bucket.reset_at = bucket.reset_at.max(now + wait.min(WAIT_MAX_MS));
            }
            // Without the headers of a bucket it is the edge, whatever it says.
            Some(wait) => self.blocked_until = self.blocked_until.max(now + wait.min(WAIT_MAX_MS)),
            None => {
                let wait = (EDGE_MS << self.edge.min(10)).min(EDGE_MAX_MS);
                self.edge += 1;
                self.blocked_until = self.blocked_until.max(now + wait);
            }
        }
    }

    /// No answer has come.
    pub fn lost(&mut self, route: &Route) {
        let key = self.key(route);
        if let Some(bucket) = self.buckets.get_mut(&key) {
            bucket.under_way = bucket.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod storm;

#[cfg(test)]
mod tests {
    use super::*;

    fn route(major: &str) -> Route {
        Route { template: "POST /channels/{}/messages", major: major.to_owned() }
    }

    fn told(remaining: u32, reset_after_ms: u64) -> Told {
        Told {
            status: 200,
            bucket: Some("b1".to_owned()),
            limit: Some(5),
            remaining: Some(remaining),
            reset_after_ms: Some(reset_after_ms),
            ..Told::default()
        }
    }

    #[test]
    fn the_first_call_of_a_route_finds_out_and_others_wait_for_it() {
        let mut book = Book::default();
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::Go);
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::AfterAnother);
        book.heard(100, 100, &route("1"), &told(4, 5_000));
        for _ in 0..4 {
            assert_eq!(book.ask(100, &route("1"), Urgency::Page, ""), May::Go);
        }
        assert_eq!(book.ask(100, &route("1"), Urgency::Page, ""), May::In(5_000));
        // Elsewhere the same limit is known, and whole.
        for _ in 0..5 {
            assert_eq!(book.ask(200, &route("2"), Urgency::Page, ""), May::Go);
        }
        assert!(matches!(book.ask(200, &route("2"), Urgency::Page, ""), May::AfterAnother | May::In(_)));
    }

    #[test]
    fn a_route_in_two_buckets_gives_each_place_back_where_it_was_taken() {
        let mut book = Book::default();
        let other = |told: Told| Told { bucket: Some("b2".to_owned()), ..told };
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::Go);
        book.heard(0, 0, &route("1"), &told(4, 10));
        for n in 1..200_u64 {
            let now = n * 1_000;
            assert_eq!(book.ask(now, &route("1"), Urgency::Page, ""), May::Go, "{n}");
            assert_eq!(book.ask(now, &route("2"), Urgency::Page, ""), May::Go, "{n}");
            // While the one is under way, the other names the same route's bucket otherwise.
            book.heard(now, now, &route("2"), &other(told(4, 10)));
            book.heard(now, now, &route("1"), &told(4, 10));
        }
        assert!(book.buckets.values().all(|bucket| bucket.under_way == 0), "{:?}", book.buckets);
    }

    #[test]
    fn an_answer_tells_of_a_newer_window_only_if_its_call_began_late_enough() {
        for (began, left) in [(5_050, 4), (0, 0)] {
            let mut book = Book::default();
            assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::Go);
            book.heard(100, 0, &route("1"), &told(0, 5_000));
            book.heard(5_090, began, &route("1"), &told(4, 5_000));
            let went = (0..9).filter(|_| book.ask(5_090, &route("1"), Urgency::Page, "") == May::Go).count();
            assert_eq!(went, left, "began at {began}");
        }
    }

    #[test]
    fn who_is_sent_away_comes_back_one_after_the_other() {
        let mut book = Book::default();
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::Go);
        book.heard(0, 0, &route("1"), &told(0, 5_000));
        let turns: Vec<u64> = (0..7).map(|_| book.promise(0, &route("1"), Urgency::Page, "", 5_000)).collect();
        assert_eq!(turns, [5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 11_000], "five in five seconds");
        assert_eq!(book.promise(0, &route("2"), Urgency::Page, "", 70), 70, "elsewhere nobody waits");
    }

    #[test]
    fn what_is_critical_waits_for_no_turn_that_was_promised_to_what_is_not() {
        let mut book = Book::default();
        let open = Route { template: "POST /users/@me/channels", major: String::new() };
        assert_eq!(book.ask(0, &open, Urgency::Page, "0"), May::Go);
        book.heard(0, 0, &open, &told(0, 5_000));
        // A hundred people are to be told of something small; the last of them has their turn in 104 s.
        let turns: Vec<u64> = (1..=100).map(|n| book.promise(0, &open, Urgency::Page, &n.to_string(), 5_000)).collect();
        assert_eq!(turns.last(), Some(&104_000));
        // The window is over: they have their turns, and who comes fresh with something small waits behind them all.
        assert_eq!(book.ask(5_001, &open, Urgency::Page, "fresh"), May::In(99_999));
        assert_eq!(book.ask(5_001, &open, Urgency::Critical, "new"), May::Go);
        book.heard(5_001, 5_001, &open, &told(0, 5_000));
        assert_eq!(
            book.promise(5_002, &open, Urgency::Critical, "other", 4_999),
            4_999,
            "the first of the next window"
        );
        assert_eq!(book.promise(5_002, &open, Urgency::Critical, "100", 4_999), 5_999, "also who had a late turn");
        assert_eq!(book.ask(10_100, &open, Urgency::Page, "1"), May::In(1_901), "its turn was long ago, and it waits");
        assert_eq!(book.ask(11_001, &open, Urgency::Critical, "other"), May::Go);
        assert_eq!(book.ask(11_001, &open, Urgency::Critical, "100"), May::Go);
    }

    #[test]
    fn no_second_has_more_than_forty_and_ten_of_them_are_for_pages() {
        let mut book = Book::default();
        let mut others = 0;
        for n in 0..60 {
            others += usize::from(book.ask(n, &route(&n.to_string()), Urgency::Other, "") == May::Go);
        }
        assert_eq!(others, 30);
        let pages = (100..160).filter(|n| book.ask(100, &route(&n.to_string()), Urgency::Page, "") == May::Go).count();
        assert_eq!(pages, 10);
        assert_eq!(book.ask(100, &route("x"), Urgency::Callback, ""), May::Go, "interactions are on no global limit");
        assert_eq!(book.ask(100, &route("y"), Urgency::Page, ""), May::In(900));
        assert_eq!(book.ask(1_000, &route("y"), Urgency::Page, ""), May::Go);
    }

    #[test]
    fn a_limit_for_all_blocks_all_and_one_of_a_bucket_only_it() {
        let mut book = Book::default();
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::Go);
        let mut limited = told(0, 2_000);
        (limited.status, limited.retry_after_ms) = (429, Some(2_000));
        book.heard(0, 0, &route("1"), &limited);
        assert_eq!(book.ask(1, &route("1"), Urgency::Page, ""), May::In(1_999));
        assert_eq!(book.ask(1, &route("2"), Urgency::Page, ""), May::Go);
        let global = Told { status: 429, retry_after_ms: Some(700), global: true, ..Told::default() };
        book.heard(10, 10, &route("2"), &global);
        assert_eq!(book.ask(10, &route("3"), Urgency::Callback, ""), May::In(700));
    }

    #[test]
    fn a_429_without_a_time_is_waited_for_longer_each_time() {
        let mut book = Book::default();
        let edge = Told { status: 429, ..Told::default() };
        let mut now = 0;
        for wait in [5_000, 10_000, 20_000] {
            assert_eq!(book.ask(now, &route("1"), Urgency::Page, ""), May::Go);
            book.heard(now, now, &route("1"), &edge);
            assert_eq!(book.ask(now, &route("1"), Urgency::Page, ""), May::In(wait));
            now += wait;
        }
        assert_eq!(book.ask(now, &route("1"), Urgency::Page, ""), May::Go);
        book.heard(now, now, &route("1"), &told(4, 10));
        book.heard(now, now, &route("1"), &edge);
        assert_eq!(book.ask(now, &route("1"), Urgency::Page, ""), May::In(5_000), "after a success it begins anew");
    }

    #[test]
    fn the_circuit_opens_for_the_rest_long_before_it_opens_for_pages() {
        let mut book = Book::default();
        let refused = Told { status: 403, ..Told::default() };
        for n in 0..500_u64 {
            book.heard(n, n, &route("1"), &refused);
        }
        assert_eq!(book.ask(1_000, &route("1"), Urgency::Other, ""), May::In(599_000));
        assert_eq!(book.ask(1_000, &route("1"), Urgency::Page, ""), May::Go);
        for n in 0..1_500_u64 {
            book.heard(2_000 + n, 2_000 + n, &route("1"), &refused);
        }
        assert!(matches!(book.ask(5_000, &route("2"), Urgency::Page, ""), May::In(_)));
        assert_eq!(book.ask(603_500, &route("2"), Urgency::Page, ""), May::Go);
    }

    #[test]
    fn whatever_is_told_nothing_overflows() {
        let mut book = Book::default();
        let odd = Told {
            status: 429,
            bucket: Some(String::new()),
            limit: Some(0),
            remaining: Some(u32::MAX),
            reset_after_ms: Some(u64::MAX),
            retry_after_ms: Some(u64::MAX),
            global: true,
            shared: true,
        };
        book.heard(0, 0, &route(""), &odd);
        book.lost(&route("never asked"));
        assert_eq!(book.ask(0, &route("1"), Urgency::Page, ""), May::In(WAIT_MAX_MS));
    }
}
