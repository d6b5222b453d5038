//! One thread that hashes passwords (argon2id), so that a rush of log-ins costs time and not memory. Whoever there is reason
//! to suspect waits behind all the others, so that guessing from many addresses keeps nobody out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::phc::{self, Memory};
use super::random;
use crate::domain::error::AppError;
use crate::panics;

/// Jobs of one standing that wait; with 32 of 35 ms the last one waits a second.
const QUEUE: usize = 32;
const RETRY_AFTER_SECONDS: u32 = 1;

/// How long a job waits for its turn where the machine is too busy for that second.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the thread keeps its memory after the last job. Taking it anew makes a job half as long again, so log-ins that
/// follow each other share it.
const KEEP_MEMORY: Duration = Duration::from_secs(1);

/// A handle on the hasher thread, cheap to clone. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct Hasher {
    jobs: SyncSender<Job>,
    suspect: SyncSender<Job>,
    /// One for each job, whichever queue it is in.
    bell: Sender<()>,
}

/// In which of the two queues somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// What came from the same address just before opened nothing.
    Suspect,
}

/// The hasher's end of both queues.
struct Queues {
    jobs: Receiver<Job>,
    suspect: Receiver<Job>,
    bell: Receiver<()>,
}

impl Queues {
    /// The next one, after a ring.
    fn take(&self) -> Option<Job> {
        self.jobs.try_recv().or_else(|_| self.suspect.try_recv()).ok()
    }
}

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

impl Hasher {
    pub fn start() -> Self {
        Self::with_queue(QUEUE)
    }

    /// `waiting`: how many jobs may wait behind the one that runs before the next is refused.
    pub fn with_queue(waiting: usize) -> Self {
        Self::spawn(waiting).0
    }

    #[expect(clippy::expect_used, reason = "at start-up")]
    fn spawn(waiting: usize) -> (Self, JoinHandle<()>) {
        let ((jobs, for_jobs), (suspect, for_suspect)) = (sync_channel(waiting), sync_channel(waiting));
        let (bell, for_bell) = channel();
        let queues = Queues { jobs: for_jobs, suspect: for_suspect, bell: for_bell };
        let thread = thread::Builder::new()
            .name("hasher".into())
            .spawn(move || work(&queues))
            .expect("called at start-up, where a process that cannot have a thread cannot serve either");
        (Self { jobs, suspect, bell }, thread)
    }

    /// A PHC string, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, with a salt of its own. Fails with `Overloaded` when the
    /// queue is full and with `Internal` for a fault of ours.
    pub async fn hash(&self, password: SecretString) -> Result<String, AppError> {
        self.submit(Standing::Good, hash_job(password)?)?.in_time().await
    }

    /// Whether `phc` is a hash of `password`; `None` takes as long and is always false. Fails as [`Hasher::hash`] does,
    /// and with `Internal` when the stored string is not an argon2id hash within bounds.
    pub async fn verify(
        &self,
        standing: Standing,
        password: SecretString,
        phc: Option<String>,
    ) -> Result<bool, AppError> {
        self.submit(standing, verify_job(password, phc))?.in_time().await
    }

    /// [`Hasher::hash`] for the command line. Panics inside an async runtime.
    pub fn hash_blocking(&self, password: SecretString) -> Result<String, AppError> {
        self.submit(Standing::Good, hash_job(password)?)?.blocking()
    }

    /// [`Hasher::verify`] for the command line. Panics inside an async runtime.
    pub fn verify_blocking(&self, password: SecretString, phc: Option<String>) -> Result<bool, AppError> {
        self.submit(Standing::Good, verify_job(password, phc))?.blocking()
    }

    fn submit<T: Send + 'static>(
        &self,
        standing: Standing,
        job: impl FnOnce(&mut Memory) -> Result<T, AppError> + Send + 'static,
    ) -> Result<Queued<T>, AppError> {
        let (reply, answer) = oneshot::channel();
        let has_begun = Arc::new(AtomicBool::new(false));
        let queued = Queued { answer, has_begun: Arc::clone(&has_begun) };
        let job = move |memory: &mut Memory| {
            // Whoever asked went away while this waited: under a rush that is most of the queue.
            if reply.is_closed() {
                return;
            }
            has_begun.store(true, Ordering::Release);
            // Safe to unwind through: the only thing shared is memory that holds nothing from one job to the next.
            let result = panics::catch(|| job(memory))
                .unwrap_or_else(|why| Err(AppError::Internal(format!("the hasher panicked: {why}"))));
            let _ = reply.send(result);
        };
        let queue = if standing == Standing::Good { &self.jobs } else { &self.suspect };
        let gone = || AppError::Internal("the hasher thread is gone".into());
        match queue.try_send(Box::new(job)) {
            Ok(()) => self.bell.send(()).map(|()| queued).map_err(|_| gone()),
            Err(TrySendError::Full(_)) => Err(AppError::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS }),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
        }
    }
}

/// A job in one of the queues.
struct Queued<T> {
    answer: oneshot::Receiver<Result<T, AppError>>,
    has_begun: Arc<AtomicBool>,
}

impl<T> Queued<T> {
    /// What is dropped here before its turn is skipped, and has changed nothing; what has begun is waited for.
    async fn in_time(mut self) -> Result<T, AppError> {
        match tokio::time::timeout(PATIENCE, &mut self.answer).await {
            Ok(received) => answer(received),
            Err(_) if self.has_begun.load(Ordering::Acquire) => answer(self.answer.await),
            Err(_) => Err(AppError::Overloaded { retry_after_seconds: RETRY_AFTER_SECONDS }),
        }
    }

    fn blocking(self) -> Result<T, AppError> {
        answer(self.answer.blocking_recv())
    }
}

fn answer<T>(received: Result<Result<T, AppError>, oneshot::error::RecvError>) -> Result<T, AppError> {
    received.unwrap_or_else(|_| Err(AppError::Internal("the hasher thread gave no answer".into())))
}

fn work(queues: &Queues) {
    let mut memory = Memory::default();
    let next = |memory: &mut Memory| queues.take().into_iter().for_each(|job| job(memory));
    while queues.bell.recv().is_ok() {
        next(&mut memory);
        let after = loop {
            match queues.bell.recv_timeout(KEEP_MEMORY) {
                Ok(()) => next(&mut memory),
                Err(after) => break after,
            }
        };
        // Resident for nothing, it would be most of what an idle panel takes.
        memory.free();
        if after == RecvTimeoutError::Disconnected {
            return;
        }
    }
}

fn hash_job(password: SecretString) -> Result<impl FnOnce(&mut Memory) -> Result<String, AppError>, AppError> {
    let salt = random::bytes::<{ phc::SALT }>()?;
    Ok(move |memory: &mut Memory| phc::hash(memory, &password, &salt))
}

fn verify_job(password: SecretString, stored: Option<String>) -> impl FnOnce(&mut Memory) -> Result<bool, AppError> {
    move |memory| {
        let known = stored.is_some();
        let same = phc::verify(memory, &password, stored.as_deref().unwrap_or(phc::NOBODY))?;
        Ok(same & known)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// Keeps the thread busy until the sender is used or dropped.
    fn occupy(hasher: &Hasher) -> Sender<()> {
        let (go, wait) = channel();
        let (started, running) = channel();
        let job = move |_: &mut Memory| {
            let _ = started.send(());
            let _ = wait.recv();
        };
        hasher.jobs.send(Box::new(job)).unwrap();
        hasher.bell.send(()).unwrap();
        running.recv().unwrap();
        go
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_are_refused() {
        let hasher = Hasher::start();
        let phc = hasher.hash_blocking(secret("xY7-q2.z")).unwrap();
        for wrong in ["", "xY7-q2.", "xY7-q2.zz", "xy7-q2.z"] {
            assert_eq!(hasher.verify_blocking(secret(wrong), Some(phc.clone())), Ok(false));
        }
        assert_eq!(hasher.verify_blocking(secret("xY7-q2.z"), None), Ok(false));
    }

    #[test]
    fn a_full_queue_is_refused_at_once_and_what_waited_is_answered() {
        let hasher = Hasher::with_queue(2);
        let busy = occupy(&hasher);
        let waiting: Vec<_> =
            (0..2).map(|_| hasher.submit(Standing::Good, verify_job(secret("xY7-q2.z"), None)).unwrap()).collect();

        let overloaded = AppError::Overloaded { retry_after_seconds: 1 };
        assert_eq!(hasher.verify_blocking(secret("xY7-q2.z"), None), Err(overloaded.clone()));
        assert_eq!(hasher.hash_blocking(secret("xY7-q2.z")), Err(overloaded));

        drop(busy);
        for answered in waiting {
            assert_eq!(answered.blocking(), Ok(false));
        }
        assert_eq!(hasher.verify_blocking(secret("xY7-q2.z"), None), Ok(false));
    }

    #[test]
    fn a_job_that_nobody_waits_for_any_more_is_skipped() {
        let hasher = Hasher::start();
        let busy = occupy(&hasher);
        let (ran, runs) = channel();
        let unwanted = hasher.submit(Standing::Good, move |_| Ok(ran.send("ran").is_ok())).unwrap();
        drop(unwanted);
        drop(busy);
        assert!(runs.recv().is_err());
    }

    #[tokio::test]
    async fn a_job_whose_turn_does_not_come_is_refused_and_skipped() {
        let hasher = Hasher::with_queue(2);
        let busy = occupy(&hasher);
        let overloaded = Err(AppError::Overloaded { retry_after_seconds: 1 });
        assert_eq!(hasher.verify(Standing::Good, secret("xY7-q2.z"), None).await, overloaded);
        drop(busy);
        assert_eq!(hasher.verify(Standing::Good, secret("xY7-q2.z"), None).await, Ok(false));
    }

    #[test]
    fn whoever_is_suspect_waits_behind_the_others_and_takes_no_place_from_them() {
        let hasher = Hasher::with_queue(2);
        let busy = occupy(&hasher);
        let (tell, told) = channel();
        let say = |standing, word: &'static str| {
            let tell = tell.clone();
            hasher.submit(standing, move |_| tell.send(word).map_err(|e| AppError::Internal(e.to_string())))
        };
        let mut waiting = vec![say(Standing::Suspect, "a guess").unwrap(), say(Standing::Suspect, "a guess").unwrap()];
        assert!(say(Standing::Suspect, "a guess too many").is_err());
        waiting.extend([say(Standing::Good, "the owner"), say(Standing::Good, "the owner")].map(Result::unwrap));
        drop(busy);
        assert!(waiting.into_iter().all(|job| job.blocking().is_ok()));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["the owner", "the owner", "a guess", "a guess"]);
    }

    #[test]
    fn a_panic_in_a_job_is_a_fault_of_ours_and_the_next_job_is_served() {
        let hasher = Hasher::start();
        let panicking = |_: &mut Memory| -> Result<(), AppError> { panic!("as a test") };
        for _ in 0..3 {
            let answered = hasher.submit(Standing::Good, panicking).unwrap().blocking();
            let Err(AppError::Internal(why)) = answered else { panic!("{answered:?}") };
            assert!(why.starts_with("the hasher panicked: as a test"), "{why}");
        }
        assert_eq!(hasher.verify_blocking(secret("xY7-q2.z"), None), Ok(false));
    }

    #[test]
    fn the_right_password_verifies_and_the_string_names_its_parameters() {
        let hasher = Hasher::start();
        for text in ["xY7-q2.z", "", "пароль78", &"é".repeat(128)] {
            let phc = hasher.hash_blocking(secret(text)).unwrap();
            assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
            assert_ne!(phc, hasher.hash_blocking(secret(text)).unwrap());
            assert_eq!(hasher.verify_blocking(secret(text), Some(phc)), Ok(true));
        }
    }

    #[test]
    fn the_async_twins_give_the_same_answers() {
        let hasher = Hasher::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let phc = hasher.hash(secret("xY7-q2.z")).await.unwrap();
            assert_eq!(hasher.verify(Standing::Good, secret("xY7-q2.z"), Some(phc.clone())).await, Ok(true));
            assert_eq!(hasher.verify(Standing::Good, secret("xY7-q2.Z"), Some(phc)).await, Ok(false));
            assert_eq!(hasher.verify(Standing::Good, secret("xY7-q2.z"), None).await, Ok(false));
        });
    }

    #[test]
    fn the_thread_answers_what_waits_and_ends_when_the_last_handle_is_dropped() {
        let (hasher, thread) = Hasher::spawn(4);
        let busy = occupy(&hasher);
        let other = hasher.clone();
        let waiting = other.submit(Standing::Good, verify_job(secret("xY7-q2.z"), None)).unwrap();
        drop(hasher);
        assert!(!thread.is_finished());
        drop(other);
        drop(busy);
        thread.join().unwrap();
        assert_eq!(waiting.blocking(), Ok(false));
    }
}
