"""What holds for the SQLite store alone: its query plans, its batches, its wake-ups, its file."""
