//! Whether the database can be read and written: asked of a thread of its own, so that no answer waits for a disk that
//! hangs, and however many ask, one look serves them all.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::app::App;
use crate::domain::error::AppError;
use crate::panics;

/// Questions that may wait for one look.
const QUEUE: usize = 1024;

/// How long the look may take: health answers within 5 s whatever happens (contract: external.md, System).
const PATIENCE: Duration = Duration::from_secs(3);

/// After a failed write it is tried again with a write, but not for everybody who asks.
const PROBE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Health(SyncSender<oneshot::Sender<bool>>);

impl Health {
    /// The thread ends with the last handle, or when the application is closed.
    pub fn start(app: &Arc<App>) -> std::io::Result<Self> {
        let (ask, questions) = sync_channel(QUEUE);
        let app = Arc::downgrade(app);
        std::thread::Builder::new().name("health".to_owned()).spawn(move || look(&app, &questions))?;
        Ok(Self(ask))
    }

    /// False as well where nobody can tell in time.
    pub async fn is_good(&self) -> bool {
        let (reply, verdict) = oneshot::channel();
        let asked = self.0.try_send(reply).is_ok();
        asked && matches!(tokio::time::timeout(PATIENCE, verdict).await, Ok(Ok(true)))
    }
}

fn look(app: &Weak<App>, questions: &Receiver<oneshot::Sender<bool>>) {
    let mut probed: Option<(Instant, Result<(), AppError>)> = None;
    let mut was_good = true;
    while let Ok(first) = questions.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(questions.try_iter()).collect();
        let Some(app) = app.upgrade() else { return };
        let verdict = panics::catch(|| judge(&app, &mut probed)).unwrap_or_else(|why| Err(AppError::Internal(why)));
        let good = verdict.is_ok();
        // However often somebody asks, only the turns are told.
        match verdict {
            Err(error) if was_good => tracing::error!(%error, "health: unhealthy from now on"),
            Ok(()) if !was_good => tracing::info!("health: healthy again"),
            _ => {}
        }
        was_good = good;
        for question in waiting {
            // Whoever asked may have gone; the others have not.
            let _: Result<(), bool> = question.send(good);
        }
    }
}

fn judge(app: &App, probed: &mut Option<(Instant, Result<(), AppError>)>) -> Result<(), AppError> {
    app.db.check_reading()?;
    if !app.db.is_failing() {
        return Ok(());
    }
    match probed {
        Some((at, verdict)) if at.elapsed() < PROBE_EVERY => verdict.clone(),
        _ => {
            let verdict = app.db.check_writing();
            *probed = Some((Instant::now(), verdict.clone()));
            verdict
        }
    }
}
