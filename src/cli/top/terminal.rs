//! The live screen: keys, sizes, and a daemon that may go and come back. Whatever ends it, the terminal is as it was before.

use std::io;
use std::process::ExitCode;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::{EVERY, Frame, look, screen};
use crate::see::api::{Overview, Top};
use crate::see::client::Client;

/// Words of the terminal that wait.
const EVENTS_MAX: usize = 64;

/// The terminal while it is ours; dropped, also by a panic, it is given back.
struct Ours(DefaultTerminal);

impl Ours {
    fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows until somebody quits. The first look must succeed; later ones are tried again.
pub(super) async fn shown(client: &Client) -> anyhow::Result<ExitCode> {
    let mut before = look(client).await?;
    let mut terminal = Ours::take()?;
    let mut events = heard();
    let mut frame = Frame::between(&before, &before);
    let mut note = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    loop {
        terminal.0.draw(|screen| screen::draw(screen, &frame, note.as_deref()))?;
        let looked = async {
            ticks.tick().await;
            look(client).await
        };
        // keys count while the daemon is waited for, too
        let looked = tokio::select! {
            looked = looked => looked,
            event = events.recv() => match event {
                Some(event) if quits(&event) => return Ok(ExitCode::SUCCESS),
                Some(_) => continue, // another size: drawn anew
                None => return Ok(ExitCode::SUCCESS),
            },
        };
        note = match looked {
            Ok(now) => {
                frame = next(&mut before, now);
                None
            }
            Err(error) => Some(format!("{error}")),
        };
    }
}

fn next(before: &mut (Overview, Top), now: (Overview, Top)) -> Frame {
    let frame = Frame::between(before, &now);
    *before = now;
    frame
}

/// What the terminal says, read on a thread of its own, which ends with the process.
fn heard() -> mpsc::Receiver<Event> {
    let (to, from) = mpsc::channel(EVENTS_MAX);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if to.blocking_send(event).is_err() {
                break;
            }
        }
    });
    from
}

/// `q`, Escape, Ctrl-C or Ctrl-D: the terminal sends no signals while it is ours.
fn quits(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') | KeyCode::Esc => true,
            KeyCode::Char('c' | 'd') => with_control,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn a_few_keys_quit() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(quits(&key(KeyCode::Char('q'), KeyModifiers::NONE)) && quits(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(quits(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!quits(&key(KeyCode::Char('c'), KeyModifiers::NONE)) && !quits(&Event::Resize(80, 24)));
    }
}
