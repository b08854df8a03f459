//! Models that Opsbell brings along: standard changes that nearly everybody makes, by requests to a server of one's own.
//! An organisation's file names one and says where that server is; everything else stands in `playbooks/models/`, and
//! goes through the same reader and the same checks as a playbook of one's own.

use std::sync::Arc;

use compact_str::CompactString;
use toml::de::DeTable;

use super::whole::authority;
use super::{Drafted, PERMISSIONS, RISKS, playbook};
use crate::catalog::draft::{Draft, Kind as Named};
use crate::catalog::finding::{Source, Spot};
use crate::catalog::read::Table;
use crate::catalog::value::{self, Wrong};

/// All of them by name.
pub const MODELS: [(&str, &str); 5] = [
    ("certificate", include_str!("../../../playbooks/models/certificate.toml")),
    ("deploy", include_str!("../../../playbooks/models/deploy.toml")),
    ("feature-flag", include_str!("../../../playbooks/models/feature-flag.toml")),
    ("restart", include_str!("../../../playbooks/models/restart.toml")),
    ("scale", include_str!("../../../playbooks/models/scale.toml")),
];

/// What stands in the models in the place of the organisation's own address.
pub const PLACE: &str = "https://deploy.example.com";

/// Reads a file that names a model. What it says itself wins over what the model says.
pub(super) fn read(draft: &mut Draft<'_>, mut table: Table<'_>, name: &str, spot: Spot) -> Option<Drafted> {
    table.require("url");
    let model =
        table.parse("model", |word| value::choice(word, "model", &MODELS.map(|(name, text)| (name, (name, text)))));
    let url = table.parse("url", base);
    let services = draft.refer_all(Named::Service, "services", &mut table);
    let risk = table.parse("risk", |word| value::choice(word, "risk", &RISKS));
    let permission = table.parse("permission", |word| value::choice(word, "permission", &PERMISSIONS[1..]));
    let expected = table.parse("expected", value::wait);
    let expects = table.parse_all("expects", |text| Ok(CompactString::from(text.trim())));
    table.done();
    let ((model, text), url) = (model?, url?);
    let text = text.replace(PLACE, &url);
    let source: Arc<Source> = Source::new(format!("the model {model}, by {}", spot.place()), &text);
    let (document, _) = DeTable::parse_recoverable(&text);
    let shipped = Table::new("a playbook", &source, document.get_ref(), 0..0, draft.sink);
    let mut drafted = playbook(draft, shipped, name, spot);
    let own = &mut drafted.playbook;
    own.services = services.map_or_else(Vec::new, |names| names.into_iter().map(Into::into).collect());
    own.risk = risk.unwrap_or(own.risk);
    own.permission = permission.unwrap_or(own.permission);
    own.expected = expected.or(own.expected);
    own.expects = expects.unwrap_or_default().into_iter().map(|(name, _)| name).collect();
    Some(drafted)
}

/// Where the organisation's server is: `https://deploy.ej.example`, perhaps with a path.
fn base(text: &str) -> Result<String, Wrong> {
    let text = text.trim().trim_end_matches('/');
    let fits = |c: char| c.is_ascii_alphanumeric() || ":/.-_~".contains(c);
    if text.len() <= 500 && text.chars().all(fits) && !text.contains("..") && authority(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not where a server is", value::cut(text)))
        .hint("write it like https://deploy.ej.example/v1: what the model asks is put behind it"))
}
