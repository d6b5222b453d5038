//! How long a connection is waited for, once its first request is in (until then actix counts, and answers 408): the head of
//! each further request, and the taking of an answer, end at a time that no byte puts off. actix bounds neither, so whoever
//! trickles would keep a connection for as long as it likes.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::MissedTickBehavior;

use super::listener::KEEP_ALIVE;
use crate::config::Server;

/// How often the connections of a thread are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Ticks that the head of a further request may take; one more than the first has, whose 408 must not be overtaken.
const HEAD_TICKS: u64 = 6;

/// Ticks that a connection is kept without a request; one more than actix keeps it.
const IDLE_TICKS: u64 = KEEP_ALIVE.as_secs() + 1;

/// A connection that is given up when it lasts too long.
#[derive(Debug)]
pub struct Patient<T> {
    stream: T,
    wait: Rc<Wait>,
}

/// What is waited for, and since which tick.
#[derive(Debug, Default)]
pub struct Wait {
    /// A request is being answered: what is read meanwhile belongs to it.
    is_busy: Cell<bool>,
    head_since: Cell<Option<u64>>,
    /// No request is being answered. actix counts this too, and begins anew with each byte of TLS.
    idle_since: Cell<Option<u64>>,
    answer_since: Cell<Option<u64>>,
    /// Ticks from when the other end takes no more until it has taken the whole answer.
    answer_ticks: Cell<u64>,
    is_over: Cell<bool>,
    /// Whoever runs the connection.
    task: RefCell<Option<Waker>>,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub struct Busy(Option<Rc<Wait>>);

impl Busy {
    /// Its answer may take twice as long to be taken as to be made.
    pub fn with(request: &HttpRequest, settings: &Server) -> Self {
        let wait = request.conn_data::<Rc<Wait>>().cloned();
        if let Some(wait) = &wait {
            wait.answer_ticks.set(2 * settings.request_timeout().as_secs());
            wait.is_busy.set(true);
            wait.head_since.set(None);
            wait.idle_since.set(None);
        }
        Self(wait)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(wait) = &self.0 {
            wait.is_busy.set(false);
            wait.head_since.set(None);
            wait.idle_since.set(None);
            begin(&wait.idle_since);
        }
    }
}

impl Wait {
    /// Wakes whoever runs a connection that lasts too long; it then finds that it is over.
    fn look(&self, now: u64) {
        let lasts = |since: &Cell<Option<u64>>, ticks: u64| since.get().is_some_and(|since| now >= since + ticks);
        // Whoever has not taken its answer yet may have sent the next request long ago.
        let waits_for_head = self.answer_since.get().is_none();
        let comes_too_late = lasts(&self.head_since, HEAD_TICKS) || lasts(&self.idle_since, IDLE_TICKS);
        if (waits_for_head && comes_too_late) || lasts(&self.answer_since, self.answer_ticks.get()) {
            self.is_over.set(true);
            if let Some(task) = self.task.take() {
                task.wake();
            }
        }
    }

    /// What the stream said, and what it means for the answer that is on its way.
    fn sent<R>(&self, context: &Context<'_>, outcome: Poll<R>) -> Poll<R> {
        if outcome.is_pending() {
            begin(&self.answer_since);
            self.remember(context);
        }
        outcome
    }

    fn remember(&self, context: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if task.as_ref().is_none_or(|task| !task.will_wake(context.waker())) {
            *task = Some(context.waker().clone());
        }
    }

    fn check(&self) -> io::Result<()> {
        match self.is_over.get() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }
}

/// A second beginning does not put off the first.
fn begin(since: &Cell<Option<u64>>) {
    since.set(since.get().or_else(|| Some(WATCH.with(|watch| watch.now.get()))));
}

impl<T> Patient<T> {
    pub fn new(stream: T) -> Self {
        let wait = Rc::new(Wait { answer_ticks: Cell::new(HEAD_TICKS), ..Wait::default() });
        WATCH.with(|watch| watch.over(&wait));
        Self { stream, wait }
    }

    pub fn stream(&self) -> &T {
        &self.stream
    }

    /// For the requests of this connection.
    pub fn wait(&self) -> Rc<Wait> {
        Rc::clone(&self.wait)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.wait.check()?;
        let before = into.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(context, into);
        if outcome.is_pending() {
            this.wait.remember(context);
        } else if into.filled().len() > before && !this.wait.is_busy.get() {
            begin(&this.wait.head_since);
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.wait.check()?;
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wait.sent(context, outcome)
    }

    /// Asked for when everything was written.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.wait.check()?;
        let outcome = Pin::new(&mut this.stream).poll_flush(context);
        if outcome.is_ready() && this.wait.answer_since.take().is_some() && this.wait.head_since.take().is_some() {
            begin(&this.wait.head_since);
        }
        this.wait.sent(context, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.wait.check()?;
        let outcome = Pin::new(&mut this.stream).poll_shutdown(context);
        this.wait.sent(context, outcome)
    }
}

thread_local! {
    static WATCH: Watch = Watch::default();
}

/// Looks at all connections of a thread, so that none of them needs a timer of its own.
#[derive(Default)]
struct Watch {
    now: Cell<u64>,
    waits: Rc<RefCell<Vec<Weak<Wait>>>>,
    is_running: Cell<bool>,
}

impl Watch {
    fn over(&self, wait: &Rc<Wait>) {
        self.waits.borrow_mut().push(Rc::downgrade(wait));
        if !self.is_running.replace(true) {
            actix_web::rt::spawn(run(Rc::clone(&self.waits)));
        }
    }
}

async fn run(waits: Rc<RefCell<Vec<Weak<Wait>>>>) {
    let mut ticks = tokio::time::interval(TICK);
    // A thread that could not run must not count the time as its callers'.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = WATCH.with(|watch| {
            watch.now.set(watch.now.get() + 1);
            watch.now.get()
        });
        let mut waits = waits.borrow_mut();
        waits.retain(|wait| wait.upgrade().inspect(|wait| wait.look(now)).is_some());
        let spare = waits.capacity() / 4;
        if waits.len() < spare {
            waits.shrink_to(spare);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_a_request_is_over_after_its_time_and_one_that_is_answered_is_not() {
        let wait = Rc::new(Wait { answer_ticks: Cell::new(60), ..Wait::default() });
        drop(Busy(Some(Rc::clone(&wait))));
        wait.look(IDLE_TICKS - 1);
        assert!(wait.check().is_ok());
        // Nothing that arrives puts it off: of TLS, bytes come in that are no part of a request yet.
        wait.look(IDLE_TICKS);
        assert!(wait.check().is_err());

        let busy = Wait { is_busy: Cell::new(true), ..Wait::default() };
        busy.look(1_000 * IDLE_TICKS);
        assert!(busy.check().is_ok());
    }
}
