<?php
// SPDX-License-Identifier: MIT
return ['driver' => 'array'];
