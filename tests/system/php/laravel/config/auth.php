<?php
// SPDX-License-Identifier: MIT
return [
    'defaults' => ['guard' => 'header'],
    'guards' => ['header' => ['driver' => 'header']],
];
