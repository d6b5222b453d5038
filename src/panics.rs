//! A panic is told once: by whoever catches it, who knows what failed, or by the log where nobody does.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::thread::JoinHandle;

use crate::domain::text;

thread_local! {
    /// How many of this module's catchers are at work on this thread.
    static CATCHERS: Cell<usize> = const { Cell::new(0) };
    /// Where the last panic of this thread happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Sends the panics that nobody catches to the log, instead of the several lines on standard error that are usual.
pub fn watch() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        if CATCHERS.get() > 0 {
            return PLACE.set(place);
        }
        let thread = std::thread::current();
        let (thread, why) = (thread.name(), text::of_panic(panic.payload()));
        tracing::error!(thread, place, why, "a panic that nobody caught");
    }));
}

/// Runs it; a panic becomes a text that says what it said, and where it happened if panics are watched. What is shared
/// with the work must be fit to be used after it broke off.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    CATCHERS.set(CATCHERS.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHERS.set(CATCHERS.get() - 1);
    done.map_err(|panic| {
        let why = text::of_panic(panic.as_ref());
        PLACE.take().map_or_else(|| why.to_owned(), |place| format!("{why} ({place})"))
    })
}

/// Waits for the end of a thread of ours, and tells where that was a panic.
pub fn join(thread: Option<JoinHandle<()>>, name: &str) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("the {name} thread ended in a panic");
    }
}

/// [`catch`] for what is awaited.
pub async fn catch_in<F: Future>(work: F) -> Result<F::Output, String> {
    let mut work = pin!(work);
    poll_fn(|context| match catch(|| work.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(why) => Poll::Ready(Err(why)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_says_what_it_said() {
        assert_eq!(catch(|| 7), Ok(7));
        // Another test of this binary may or may not watch, which adds the place.
        let caught = catch(|| panic!("on {}", "purpose")).map(|()| 0).unwrap_err();
        assert!(caught.starts_with("on purpose"), "{caught}");
        let inner = catch(|| catch(|| panic!("inside")).map(|()| 0).is_err());
        assert_eq!((inner, CATCHERS.get()), (Ok(true), 0));
    }

    #[tokio::test]
    async fn a_panic_after_a_wait_is_caught_too() {
        let work = async {
            tokio::task::yield_now().await;
            panic!("later")
        };
        let caught: Result<(), _> = catch_in(work).await;
        assert!(caught.unwrap_err().starts_with("later"));
        assert_eq!((catch_in(async { 7 }).await, CATCHERS.get()), (Ok(7), 0));
    }
}
