"""The stages of a build, one file each; ``data/stage.py`` says what a stage is and how to add one."""
