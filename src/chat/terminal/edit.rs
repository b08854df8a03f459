//! The line editor: history, completion of everything that can be said, hints. What can be said comes from the
//! command data and the State of the moment; the drawing is reedline's.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reedline::{
    Color, ColumnarMenu, Completer, CompletionResult, DefaultHinter, Emacs, ExternalPrinter, FileBackedHistory,
    Highlighter, Hinter, History, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, StyledText, Suggestion, default_emacs_keybindings,
};

use super::partner::Partner;
use super::session::Typed;
use super::{Terminal, render};
use crate::chat::Ended;
use crate::domain::command::complete::Completion;
use crate::domain::command::offer::{takes, with_own};
use crate::domain::command::spec::{CommandSpec, Lexicon};
use crate::domain::id::PersonId;

/// Lines of earlier sessions that are kept.
const HISTORY_LINES: usize = 1_000;
/// Messages that the editor takes at once.
const PRINTER_LINES: usize = 256;
/// How often the editor looks for messages; also how late one may appear.
const POLL: Duration = Duration::from_millis(50);

const MENU: &str = "words";

/// What the parts of the editor share.
struct Shared {
    partner: Arc<dyn Partner>,
    own: Vec<CommandSpec>,
    who: RwLock<PersonId>,
    /// The words as they were when the line began, for hints at every key.
    lexicon: RwLock<Arc<Lexicon>>,
}

/// The line editor of one conversation.
pub(super) struct Editor {
    line: Reedline,
    shared: Arc<Shared>,
}

impl Editor {
    pub fn new(terminal: &Terminal, partner: &Arc<dyn Partner>, history: Option<PathBuf>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            partner: Arc::clone(partner),
            own: terminal.own.commands().to_vec(),
            who: RwLock::new(terminal.who()),
            lexicon: RwLock::default(),
        });
        let mut keys = default_emacs_keybindings();
        let next = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, next);
        keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
        // One column, so that each word has its meaning beside it.
        let menu = ColumnarMenu::default().with_name(MENU).with_columns(1).with_marker("> ");
        let printer = ExternalPrinter::new(PRINTER_LINES);
        let (screen, feed) = (terminal.screen.clone(), printer.sender());
        let line = Reedline::create()
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_ansi_colors(terminal.paint.colour)
            .with_completer(Box::new(Words(Arc::clone(&shared))))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_highlighter(Box::new(Plain))
            .with_hinter(Box::new(Hints { shared: Arc::clone(&shared), past: past(), usage: String::new() }))
            .with_external_printer(printer)
            .with_idle_callback(Box::new(move || screen.feed(&feed)))
            .with_poll_interval(POLL)
            .with_break_signal(Arc::clone(&terminal.stop));
        let line = match history.map(|file| FileBackedHistory::with_file(HISTORY_LINES, file)) {
            Some(Ok(history)) => line.with_history(Box::new(history)),
            Some(Err(error)) => {
                terminal.print(&format!("(lines are not kept for the next time: {error})"))?;
                line
            }
            None => line,
        };
        Ok(Self { line, shared })
    }

    /// Reads one line; messages appear above it meanwhile.
    pub fn next(&mut self, terminal: &Terminal) -> io::Result<Typed> {
        let who = terminal.who();
        if let Some(lexicon) = self.shared.partner.lexicon() {
            let lexicon = with_own(&lexicon, &self.shared.own);
            *self.shared.lexicon.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(lexicon);
        }
        *self.shared.who.write().unwrap_or_else(PoisonError::into_inner) = who.clone();
        terminal.screen.lend();
        let signal = self.line.read_line(&Who(who.to_string()));
        let written = matches!(&signal, Ok(signal) if !matches!(signal, Signal::ExternalBreak(_)));
        terminal.screen.take_back(written);
        match signal? {
            Signal::Success(line) => Ok(Typed::Line(line)),
            Signal::CtrlD => Ok(Typed::End(Ended::Quit)),
            Signal::ExternalBreak(_) => Ok(Typed::End(Ended::Stopped)),
            // Ctrl-C clears the line.
            _ => Ok(Typed::Nothing),
        }
    }
}

/// Completion over the State of the moment.
struct Words(Arc<Shared>);

impl Completer for Words {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let text = line.get(..pos).unwrap_or(line);
        let who = self.0.who.read().unwrap_or_else(PoisonError::into_inner).clone();
        let found = self.0.partner.complete(&who, text, &self.0.own);
        let found: Vec<Suggestion> = found.into_iter().map(|found| suggestion(found, text.len())).collect();
        CompletionResult::fresh(found)
    }
}

fn suggestion(found: Completion, end: usize) -> Suggestion {
    Suggestion {
        append_whitespace: !found.text.ends_with(':'),
        value: found.text,
        description: (!found.description.is_empty()).then(|| render::inert(&found.description)),
        span: Span::new(found.replace_from.min(end), end),
        ..Suggestion::default()
    }
}

fn past() -> DefaultHinter {
    DefaultHinter::default().with_style(Color::DarkGray.normal()).with_min_chars(2)
}

/// Behind the cursor, in grey: the rest of an earlier line, else what the command takes.
struct Hints {
    shared: Arc<Shared>,
    past: DefaultHinter,
    usage: String,
}

impl Hinter for Hints {
    fn handle(&mut self, line: &str, pos: usize, history: &dyn History, colour: bool, cwd: &str) -> String {
        let past = self.past.handle(line, pos, history, colour, cwd);
        // Without colour a hint cannot be told from what was typed.
        if !past.is_empty() || pos < line.len() || !colour {
            return if colour { past } else { String::new() };
        }
        let lexicon = Arc::clone(&self.shared.lexicon.read().unwrap_or_else(PoisonError::into_inner));
        self.usage = takes(line, &lexicon).unwrap_or_default();
        Color::DarkGray.normal().paint(&self.usage).to_string()
    }

    /// Only earlier lines can be taken over; what a command takes is for reading.
    fn complete_hint(&self) -> String {
        self.past.complete_hint()
    }

    fn next_hint_token(&self) -> String {
        self.past.next_hint_token()
    }
}

/// What is typed, in the terminal's own colour.
struct Plain;

impl Highlighter for Plain {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        text.push((Color::Default.normal(), line.to_owned()));
        text
    }
}

/// `bas> `
struct Who(String);

impl Prompt for Who {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("… ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (earlier line with `{}`) ", search.term))
    }
}
