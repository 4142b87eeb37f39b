"""Custom actions of the dialogue: slots in, directory query, reply out.

The modules here are imported by the action server of rasa-sdk, which registers every ``Action`` it finds.
Nothing in this package may import ``bot``: the action server knows public facts only.
"""
