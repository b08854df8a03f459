//! What a playbook of kind `request`, an item of the catalogue, says beside its steps: who approves it, who fulfils it,
//! until when. What comes of it is decided in `domain/request`.

use compact_str::CompactString;

use crate::catalog::draft::{Draft, Kind as Named};
use crate::catalog::finding::Finding;
use crate::catalog::read::{Table, Text};
use crate::catalog::value::{self, cut};
use crate::domain::change::rules::Group;
use crate::domain::command::spec::Permission;
use crate::domain::playbook::drive::group;
use crate::domain::playbook::spec::{Item, Kind};

/// Groups that are named at most.
const APPROVERS_MAX: usize = 10;

/// Reads `approvers`, `team` and `due`; only an item has them, and only an item is for everybody.
pub(super) fn read(
    draft: &mut Draft<'_>,
    table: &mut Table<'_>,
    kind: Option<Kind>,
    permission: Option<Permission>,
) -> Option<Item> {
    let own = ["approvers", "team", "due"].into_iter().filter(|key| table.has(key)).collect::<Vec<_>>();
    let item = Item {
        approvers: approvers(draft, table),
        team: draft.refer(Named::Team, "team", table).map(Into::into),
        due: table.parse("due", value::wait),
    };
    match kind {
        Some(Kind::Request) => return Some(item),
        Some(kind) => {
            for key in own {
                let message = format!("a {kind} takes no `{key}`");
                table
                    .add(Finding::error(&table.spot_of(key), message).hint("write kind = \"request\", or take it out"));
            }
            if permission == Some(Permission::Declare) {
                let message = format!("a {kind} is run by responders");
                let hint = "write permission = \"respond\"; only an item (kind = \"request\") is for everybody";
                table.add(Finding::error(&table.spot_of("permission"), message).hint(hint));
            }
        }
        None => {}
    }
    None
}

fn approvers(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Vec<CompactString> {
    let texts = table.texts("approvers").unwrap_or_default();
    if texts.len() > APPROVERS_MAX {
        let message = format!("there are more than {APPROVERS_MAX} `approvers`");
        table.add(Finding::error(&table.spot_of("approvers"), message).hint("name a team"));
    }
    for text in &texts {
        let named = |value: String| Text { value, spot: text.spot.clone() };
        match group(&text.value) {
            Some(Group::Person(person)) => draft.mention(Named::Person, &named(person.to_string())),
            Some(Group::Team(team)) => draft.mention(Named::Team, &named(team.to_string())),
            Some(Group::Role(_)) => {}
            None => {
                let message = format!("`{}` is nobody who could approve", cut(&text.value));
                table.add(Finding::error(&text.spot, message).hint("write person:NAME, team:NAME or role:admin"));
            }
        }
    }
    texts.into_iter().map(|text| text.value.into()).collect()
}
