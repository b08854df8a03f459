//! The dependencies of services as a tree, in both directions. A configuration with a circle is refused by `check`; a
//! tree ends all the same, whatever it is given, and is never longer than one message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::domain::id::ServiceId;
use crate::domain::org::Org;

/// More lines than this are counted, not shown.
const LINES_MAX: usize = 60;

/// Which way a tree grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What a service needs.
    Needs,
    /// What needs it.
    NeededBy,
}

/// The dependencies of an organisation, to be looked at both ways.
pub struct Graph<'o> {
    org: &'o Org,
    needed_by: BTreeMap<&'o ServiceId, Vec<&'o ServiceId>>,
}

impl<'o> Graph<'o> {
    /// Turns the dependencies round once.
    pub fn new(org: &'o Org) -> Self {
        let mut needed_by: BTreeMap<&ServiceId, Vec<&ServiceId>> = BTreeMap::new();
        for service in org.services.values() {
            for need in &service.depends_on {
                needed_by.entry(need).or_default().push(&service.id);
            }
        }
        Self { org, needed_by }
    }

    /// The next ones in a direction.
    pub fn next(&self, service: &ServiceId, way: Way) -> Vec<&'o ServiceId> {
        match way {
            Way::Needs => {
                self.org.services.get(service).map(|known| known.depends_on.iter().collect()).unwrap_or_default()
            }
            Way::NeededBy => self.needed_by.get(service).cloned().unwrap_or_default(),
        }
    }

    /// Everything in a direction, each once, without the service itself.
    pub fn all(&self, service: &ServiceId, way: Way) -> BTreeSet<&'o ServiceId> {
        let mut found = BTreeSet::new();
        let mut open = self.next(service, way);
        while let Some(at) = open.pop() {
            if at != service && found.insert(at) {
                open.extend(self.next(at, way));
            }
        }
        found
    }

    /// The tree in a direction, a line for each; `mark` says what stands behind a name. What was shown before is not
    /// unfolded again.
    pub fn tree(&self, service: &ServiceId, way: Way, mark: &dyn Fn(&ServiceId) -> String) -> String {
        let mut text = String::new();
        let mut unfolded: BTreeSet<&ServiceId> = BTreeSet::new();
        let (mut lines, mut hidden) = (0, 0);
        // By hand, so that a chain of ten thousand services does not end the stack.
        let mut open: Vec<(&ServiceId, usize)> =
            self.next(service, way).into_iter().rev().map(|next| (next, 1)).collect();
        while let Some((at, depth)) = open.pop() {
            let next = self.next(at, way);
            let again = at == service || !unfolded.insert(at);
            if lines < LINES_MAX {
                let above = if again && !next.is_empty() { " (see above)" } else { "" };
                let _ = writeln!(text, "{}└ {at}{}{above}", "  ".repeat(depth.min(20)), mark(at));
                lines += 1;
            } else {
                hidden += 1;
            }
            if !again {
                open.extend(next.into_iter().rev().map(|next| (next, depth + 1)));
            }
        }
        if hidden > 0 {
            let _ = writeln!(text, "  … and {hidden} more");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::org::Service;

    fn org(needs: &[(&str, &[&str])]) -> Org {
        let mut org = Org::default();
        for (id, depends_on) in needs {
            let depends_on = depends_on.iter().map(|id| (*id).into()).collect();
            let service = Service {
                id: (*id).into(),
                team: "t".into(),
                depends_on,
                runbook: None,
                tier: 3,
                repositories: Vec::new(),
            };
            org.services.insert((*id).into(), service);
        }
        org
    }

    fn tree(org: &Org, service: &str, way: Way) -> String {
        Graph::new(org).tree(&service.into(), way, &|_| String::new())
    }

    #[test]
    fn a_tree_shows_what_is_needed_once_in_full() {
        let org = org(&[("web", &["api", "db"]), ("api", &["db"]), ("db", &["disk"]), ("disk", &[])]);
        insta::assert_snapshot!(tree(&org, "web", Way::Needs), @"
          └ api
            └ db
              └ disk
          └ db (see above)
        ");
        insta::assert_snapshot!(tree(&org, "disk", Way::NeededBy), @"
          └ db
            └ api
              └ web
            └ web
        ");
    }

    #[test]
    fn a_circle_ends() {
        let org = org(&[("a", &["b"]), ("b", &["c", "b"]), ("c", &["a"])]);
        insta::assert_snapshot!(tree(&org, "a", Way::Needs), @"
          └ b
            └ c
              └ a (see above)
            └ b (see above)
        ");
        let graph = Graph::new(&org);
        assert_eq!(graph.all(&"a".into(), Way::Needs).len(), 2);
        assert_eq!(graph.all(&"a".into(), Way::NeededBy).len(), 2);
    }

    #[test]
    fn a_long_chain_and_a_wide_fan_stay_one_message() {
        let names: Vec<String> = (0..20_000).map(|n| format!("s{n:05}")).collect();
        let mut chain = Org::default();
        for (n, id) in names.iter().enumerate() {
            let depends_on = names.get(n + 1).map(|next| next.as_str().into()).into_iter().collect();
            let service = Service {
                id: id.as_str().into(),
                team: "t".into(),
                depends_on,
                runbook: None,
                tier: 3,
                repositories: Vec::new(),
            };
            chain.services.insert(id.as_str().into(), service);
        }
        let shown = tree(&chain, "s00000", Way::Needs);
        assert_eq!(shown.lines().count(), LINES_MAX + 1);
        assert!(shown.ends_with("… and 19939 more\n"), "{shown}");
    }
}
