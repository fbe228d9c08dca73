"""Batch answering: a list of questions in, a file of cited answers out, journalled and resumable.

`Batch` is the engine, for any program; `run_batch` does a whole run from a list to a file, as `weice batch` does.
"""

from rag.batch.engine import Answering, Batch, Outcome, Prepared, Progress, Retry, Status, Stopped
from rag.batch.files import BatchReport, Plan, answer_all, answered_row, batch_path, plan_batch, run_batch
from rag.batch.journal import RETRIES, Changes, Counts
from rag.batch.questions import Question, QuestionList, meaning, open_questions

__all__ = [
    "RETRIES",
    "Answering",
    "Batch",
    "BatchReport",
    "Changes",
    "Counts",
    "Outcome",
    "Plan",
    "Prepared",
    "Progress",
    "Question",
    "QuestionList",
    "Retry",
    "Status",
    "Stopped",
    "answer_all",
    "answered_row",
    "batch_path",
    "meaning",
    "open_questions",
    "plan_batch",
    "run_batch",
]
