"""The terminal: a Textual app that shows events and sends ops."""
