//! The picture behind the answer of `/report dora`: what the answer plots in letters, as PNG. It is drawn only where the
//! words were told, to whom they were told.

use super::Discord;
use super::answer::Asked;
use super::look::Picture;
use super::rest::File;
use crate::domain::command::Call;
use crate::domain::command::meaning;
use crate::domain::command::typed::Command;
use crate::domain::counted::counted;
use crate::domain::id::PersonId;
use crate::domain::report::dora;
use crate::picture;

/// A plot that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    asked: dora::Asked,
    person: Option<PersonId>,
}

impl Plot {
    /// What a command asks to be plotted; `None`: nothing.
    pub(super) fn of(asked: &Asked, words: &Call) -> Option<Self> {
        let (command, _) = meaning::typed(words, &asked.force.org, &Default::default()).ok()?;
        let Command::ReportDora(report) = command else { return None };
        Some(Self { asked: report, person: asked.actor.person().cloned() })
    }

    /// Counts and draws it. `None`: the engine does not answer; the words of the answer say all of it.
    pub(super) async fn draw(&self, discord: &Discord) -> Option<Picture> {
        let Self { asked, person } = self.clone();
        let wanted = asked.clone();
        let coming = discord
            .look(move |view| dora::report(view.state, view.org, &wanted, view.org.zone(person.as_ref()), view.now));
        let found = coming.get().await.ok()?;
        let alt = format!(
            "DORA of {}, {}, plotted by {}",
            dora::subject(&asked),
            counted(found.days, "day"),
            found.series.grain.as_str()
        );
        let bytes = tokio::task::spawn_blocking(move || picture::dora::draw(&found, &asked)).await.ok()?.ok()?;
        Some(Picture { file: File { name: "dora.png", kind: "image/png", bytes }, alt })
    }
}
