# nothing to deploy
