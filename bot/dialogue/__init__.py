"""What runs inside Rasa besides understanding: the engine channel, the replies, the tracker store, log redaction."""
