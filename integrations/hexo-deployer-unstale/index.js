/* global hexo */
'use strict';

hexo.extend.deployer.register('unstale', require('./lib/deployer'));
