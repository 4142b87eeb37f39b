"""The review: the web application in which counsellors read transcripts, keep the directory true, and see figures."""
