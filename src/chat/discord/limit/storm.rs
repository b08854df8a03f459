//! A storm on paper: 1,000 pages to 200 people at once, against a model of Discord's limits that is none of ours, in
//! milliseconds that nobody waits for. What is counted: refusals earned, when the last page was there, who came first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Book, May, PER_SECOND, Route, Told, Urgency};

const PEOPLE: usize = 200;
const PAGES: usize = 1_000;
/// Every tenth is critical, and they are owed last.
const CRITICAL: usize = PAGES / 10;
/// Under way at once, as the chat's lane allows for pages.
const WORKERS: usize = 8;
/// What a page waits for its turn before it gives its place to others.
const PATIENCE_MS: u64 = 1_000;

/// What the model allows: Discord's 50 calls a second in all, 5 messages in 5 s in a channel, 20 direct messages opened
/// in 2 s.
#[derive(Default)]
struct Discord {
    all: VecDeque<u64>,
    windows: BTreeMap<String, (u64, u32)>,
    refused: usize,
}

impl Discord {
    fn take(&mut self, now: u64, route: &Route) -> Told {
        let (name, limit, window) = match route.major.as_str() {
            "" => ("open", 20, 2_000),
            _ => ("messages", 5, 5_000),
        };
        while self.all.front().is_some_and(|at| at + 1_000 <= now) {
            self.all.pop_front();
        }
        self.all.push_back(now);
        let (since, used) = self.windows.entry(format!("{name} {}", route.major)).or_insert((now, 0));
        if *since + window <= now {
            (*since, *used) = (now, 0);
        }
        *used += 1;
        let full = self.all.len() > 50 || *used > limit;
        self.refused += usize::from(full);
        Told {
            status: if full { 429 } else { 200 },
            bucket: Some(name.to_owned()),
            limit: Some(limit),
            remaining: Some(limit.saturating_sub(*used)),
            reset_after_ms: Some(*since + window - now),
            retry_after_ms: full.then_some(*since + window - now),
            ..Told::default()
        }
    }
}

/// A page on its way: critical first, then in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Page {
    later: bool,
    n: usize,
}

impl Page {
    fn person(self) -> usize {
        self.n % PEOPLE
    }

    fn urgency(self) -> Urgency {
        if self.later { Urgency::Page } else { Urgency::Critical }
    }
}

/// What a worker does.
enum Work {
    /// Waits for its turn until `until`; asks again at `at`.
    Waits { page: Page, at: u64, until: u64 },
    /// The answer comes at `at`.
    Hears { page: Page, at: u64, began: u64, route: Route, told: Told },
}

fn next_call(page: Page, open: &BTreeSet<usize>) -> Route {
    if open.contains(&page.person()) {
        Route { template: "POST /channels/{}/messages", major: page.person().to_string() }
    } else {
        Route { template: "POST /users/@me/channels", major: String::new() }
    }
}

#[test]
fn a_thousand_pages_to_two_hundred_people_earn_no_429_and_the_critical_ones_are_first() {
    let (mut book, mut discord) = (Book::default(), Discord::default());
    let mut ready: BTreeSet<Page> = (0..PAGES).map(|n| Page { later: n < PAGES - CRITICAL, n }).collect();
    let mut sent_away: BTreeSet<(u64, Page)> = BTreeSet::new();
    let mut work: Vec<Work> = Vec::new();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    let mut arrived: Vec<(Page, u64)> = Vec::new();
    let (mut calls, mut opened) = (0_usize, Vec::new());
    let mut now = 0;
    while arrived.len() < PAGES {
        assert!(now < 600_000, "{} have arrived after ten minutes", arrived.len());
        while let Some((at, page)) = sent_away.first().copied().filter(|(at, _)| *at <= now) {
            sent_away.remove(&(at, page));
            ready.insert(page);
        }
        while work.len() < WORKERS
            && let Some(page) = ready.pop_first()
        {
            work.push(Work::Waits { page, at: now, until: now + PATIENCE_MS });
        }
        for doing in std::mem::take(&mut work) {
            match doing {
                Work::Waits { page, at, until } if at <= now => {
                    let route = next_call(page, &open);
                    // Who wants the same as others need not have it more than once.
                    let whose = if route.major.is_empty() { page.person().to_string() } else { String::new() };
                    match book.ask(now, &route, page.urgency(), &whose) {
                        May::Go => {
                            calls += 1;
                            let told = discord.take(now, &route);
                            // 60 to 109 ms, never the same twice in a row.
                            let at = now + 60 + (calls as u64 * 37) % 50;
                            work.push(Work::Hears { page, at, began: now, route, told });
                        }
                        May::In(wait) if now + wait > until => {
                            let after = book.promise(now, &route, page.urgency(), &whose, wait).max(1_000);
                            sent_away.insert((now + after, page));
                        }
                        May::In(wait) => work.push(Work::Waits { page, at: now + wait, until }),
                        May::AfterAnother if now >= until => {
                            sent_away.insert((now + 1_000, page));
                        }
                        May::AfterAnother => work.push(Work::Waits { page, at: now + 1, until }),
                    }
                }
                Work::Hears { page, at, began, route, told } if at <= now => {
                    book.heard(now, began, &route, &told);
                    if told.status == 429 {
                        sent_away.insert((now + 1_000, page));
                    } else if route.major.is_empty() {
                        if open.insert(page.person()) {
                            opened.push(page.person());
                        }
                        work.push(Work::Waits { page, at: now, until: now + PATIENCE_MS });
                    } else {
                        arrived.push((page, now));
                    }
                }
                other => work.push(other),
            }
        }
        now += 1;
    }
    assert_eq!(discord.refused, 0, "no 429 was earned");
    // Two pages of one person can open their direct message at the same time; Discord gives the same one.
    assert!((PAGES + PEOPLE..PAGES + 2 * PEOPLE).contains(&calls), "{calls} calls");
    let least_ms = (calls * 1_000 / PER_SECOND) as u64;
    let last = arrived.iter().map(|(_, at)| *at).max().unwrap();
    assert!(last <= least_ms + 30_000, "the last page was there after {last} ms; {least_ms} ms is the least");
    let last_critical = arrived.iter().filter(|(page, _)| !page.later).map(|(_, at)| *at).max().unwrap();
    // Each of them needs two calls; what is less goes meanwhile, where they wait for Discord's limit on the first.
    let least_ms = (2 * CRITICAL * 1_000 / PER_SECOND) as u64;
    assert!(last_critical <= least_ms + 10_000, "the last critical one was there after {last_critical} ms");
    let theirs = opened[..CRITICAL].iter().filter(|person| **person >= PEOPLE - CRITICAL).count();
    assert!(theirs >= CRITICAL * 8 / 10, "{theirs} of the first {CRITICAL} direct messages were opened for them");
}

#[test]
fn answers_that_overtake_each_other_earn_no_429() {
    // 0 to 699 ms each way, as on a busy line or in a busy process; and longer than a window.
    for (seed, longest) in (1..=50).map(|seed| (seed, 700)).chain((51..=60).map(|seed| (seed, 6_000))) {
        let (mut book, mut discord) = (Book::default(), Discord::default());
        let route = Route { template: "POST /channels/{}/messages", major: "1".to_owned() };
        let mut random: u64 = seed;
        let mut way = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % longest
        };
        // When it arrives, when its answer does, when it began (microseconds: no two are the same).
        let mut arrives: BTreeSet<(u64, u64, u64)> = BTreeSet::new();
        let mut heard: Vec<(u64, u64, Told)> = Vec::new();
        let (mut now, mut calls) = (0, 0);
        while calls < 200 || !arrives.is_empty() || !heard.is_empty() {
            assert!(now < 250_000 + 40 * longest, "40 windows of 5 s and what the way takes, seed {seed}");
            while let Some((_, back, began)) = arrives.first().copied().filter(|(at, ..)| *at <= now) {
                arrives.pop_first();
                heard.push((back, began, discord.take(now, &route)));
            }
            heard.retain(|(at, began, told)| {
                let here = *at <= now;
                if here {
                    book.heard(now, *began / 1_000, &route, told);
                }
                !here
            });
            while calls < 200 && book.ask(now, &route, Urgency::Page, "") == May::Go {
                calls += 1;
                let arrival = now + way();
                arrives.insert((arrival, arrival + way(), now * 1_000 + calls));
            }
            now += 1;
        }
        assert_eq!(discord.refused, 0, "seed {seed}");
    }
}
