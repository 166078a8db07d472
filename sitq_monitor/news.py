"""News on its way from the source's thread to the screen."""

from textual.message import Message

from sitq_monitor.source import News
from sitq_monitor.view import Snapshot


class Arrived(Message):
    """The source has news. Of snapshots with the same parts only the newest that waits is worth handling."""

    def __init__(self, news: News) -> None:
        self.news = news
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        older = message.news if isinstance(message, Arrived) else None
        return isinstance(self.news, Snapshot) and isinstance(older, Snapshot) and self.news.replaces(older)
